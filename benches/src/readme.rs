//! Puts what was measured into README.md and speed.svg.

use crate::report::Report;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const PLOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/speed.svg");

const BEGIN: &str = "<!-- measured: begin -->\n";
const END: &str = "<!-- measured: end -->\n";

/// Writes both.
pub(crate) fn write(report: &Report) -> Result<(), String> {
    let text = std::fs::read_to_string(README).map_err(|error| format!("{README}: {error}"))?;
    let text = replaced(&text, &report.text).ok_or_else(|| format!("{README}: has no {BEGIN}before {END}"))?;
    std::fs::write(README, text).map_err(|error| format!("{README}: {error}"))?;
    std::fs::write(PLOT, &report.plot).map_err(|error| format!("{PLOT}: {error}"))
}

/// `text` with `measured` in place of what lies between the marks.
fn replaced(text: &str, measured: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{measured}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_between_the_marks_is_replaced() {
        let text = format!("a\n{BEGIN}old\n{END}b\n");
        assert_eq!(replaced(&text, "new\n"), Some(format!("a\n{BEGIN}\nnew\n\n{END}b\n")));
        assert_eq!(replaced("a\nb\n", "new\n"), None);
    }

    #[test]
    fn the_readme_has_the_marks() {
        assert!(replaced(&std::fs::read_to_string(README).unwrap(), "").is_some());
    }
}
