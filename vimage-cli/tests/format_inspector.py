"""What oslo.utils' format inspector says of images: a line for each with its path, safe or unsafe, the format, and what speaks against it."""

import logging
import sys

from oslo_utils.imageutils import format_inspector

logging.disable(logging.CRITICAL)


def verdict(path):
    try:
        inspector = format_inspector.detect_file_format(path)
        inspector.safety_check()
    except format_inspector.SafetyCheckFailed as failed:
        return "unsafe", str(inspector), ",".join(sorted(failed.failures))
    except format_inspector.ImageFormatError as fault:
        return "unsafe", "", str(fault)
    return "safe", str(inspector), ""


for path in sys.argv[1:]:
    print(path, *verdict(path), sep="\t")
