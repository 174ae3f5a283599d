#!/usr/bin/env bash
# Makes what the targets begin with, all anew: `bases`, valid files that are edited, and `corpus`, first inputs. The images come from the
# fixtures' hand-laid ones and from vimage itself, and from the real tools where it does not write a kind.
#
# With VIMAGE_BIN, the folder of `vimage` and `vimage-fixtures`, they are not built. With VIMAGE_CORPUS the first inputs go there. With
# VIMAGE_SAMPLES, other tools' descriptors (`.ovf.zst`) are among them.
set -euo pipefail
cd "$(dirname "$0")"
export SOURCE_DATE_EPOCH=1 E2FSPROGS_FAKE_TIME=1 PATH=$PATH:/usr/sbin:/sbin
if [ -z "${VIMAGE_BIN:-}" ]; then
    cargo build --quiet --release --locked --manifest-path ../Cargo.toml -p vimage-fixtures -p vimage-cli
    VIMAGE_BIN=${CARGO_TARGET_DIR:-../target}/release
fi
vimage() { "$VIMAGE_BIN/vimage" "$@" >/dev/null; }
corpus=${VIMAGE_CORPUS:-corpus}
laid=$(mktemp -d)
trap 'rm -rf "$laid"' EXIT
rm -rf bases
mkdir -p bases/{image,package,seven_zip,guest} \
    "$corpus"/{open,image,stream,descriptor,guest,package,seven_zip,ovf,appliance,manifest,round_trip}

base() { # KIND NAME FILE…: files that belong together
    mkdir -p "bases/$1/$2"
    cp "${@:3}" "bases/$1/$2"
}

# The VMDKs of the fixtures.
"$VIMAGE_BIN/vimage-fixtures" vmdk "$laid/vmdk" | while IFS=$'\t' read -r name _ path; do
    folder=$laid/vmdk/$name
    rm "$folder/expected.raw"
    head -c 65536 "$path" | grep -qa KDMV || head -c 65536 "$path" >"$corpus/descriptor/$name"
    [ "$(du -bs "$folder" | cut -f1)" -lt 700000 ] || continue
    base image "vmdk-$name" "$folder"/*
    [ "$(find "$folder" -type f | wc -l)" -gt 1 ] || cp "$path" "$corpus/open/$name"
done

# A disk of some sectors in what vimage writes.
{ head -c 70000 /dev/zero; echo some text; head -c 5000 ../Cargo.lock; head -c 9500 /dev/zero; } >"$laid/disk.raw"
truncate -s 84480 "$laid/disk.raw"
number=0
one() { # FORMAT OPTIONS…
    number=$((number + 1))
    vimage convert "$laid/disk.raw" "$laid/$number.$1" -O "$1" "${@:2}"
    base image "$1-$number" "$laid/$number.$1"
    cp "$laid/$number.$1" "$corpus/open/$1-$number"
}
one qcow2 -o cluster_size=512
one qcow2 -o cluster_size=512 -c
one qcow2 -o cluster_size=4k,compat=0.10 -c
one qcow2 -o cluster_size=16k,extended_l2=on
one qcow2 -o cluster_size=4k,compression_type=zstd -c
one qcow2 -o cluster_size=4k,refcount_bits=1
one qcow2 -o cluster_size=64k
one vdi
one vmdk -o subformat=streamOptimized
one vmdk
one raw.zst
one raw.zst -o checksum=on
one raw
zstd -q "$laid/disk.raw" -o "$laid/plain.zst"
base image zst-without-table "$laid/plain.zst"
cp "$laid/plain.zst" "$corpus/open"
for options in cluster_size=4k cluster_size=16k,extended_l2=on; do
    qemu-img create -q -f qcow2 -o "$options,backing_fmt=raw" -b disk.raw "$laid/b.qcow2"
    qemu-img snapshot -c one "$laid/b.qcow2"
    base image "qcow2-backed-$options" "$laid/b.qcow2" "$laid/disk.raw"
done
(cd "$laid" && qemu-img create -q -f qcow2 -o data_file=data,data_file_raw=on b.qcow2 64k)
base image qcow2-data-file "$laid/b.qcow2" "$laid/data"

# Packages of a small disk.
vimage convert "$laid/disk.raw" "$laid/disk.qcow2"
cat >"$laid/appliance.toml" <<'END'
name = "small"
annotation = "Ä note."
eula = ["EULA.txt"]
[product]
name = "Product"
vendor = "Vendor"
version = "1"
[system]
os = "debian12-64"
cpus = 2
memory = "512M"
firmware = "efi"
[[disk]]
image = "disk.qcow2"
controller = "sata"
[[disk]]
role = "scratch"
size = "1G"
[[network]]
name = "VM Network"
model = "vmxnet3"
[[property]]
key = "hostname"
type = "string"
qualifiers = "MinLen(1)"
default = "x"
[[configuration]]
id = "large"
label = "Large"
description = "More."
cpus = 4
END
echo "Agreed." >"$laid/EULA.txt"
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$laid/key" -out "$laid/cert" -subj /CN=me -days 9999 2>/dev/null
packed() { # NAME TARGET OPTIONS…
    vimage pack "$laid/appliance.toml" "$laid/$2" "${@:3}"
    base package "$1" "$laid/$2"
}
packed ova a.ova
packed ova-sha1 b.ova --digest sha1
packed ova-signed c.ova --sign "$laid/key" --cert "$laid/cert"
packed box d.box -O vagrant
vimage pack "$laid/appliance.toml" "$laid/folder" -O ovf --sign "$laid/key" --cert "$laid/cert"
rm -f "$laid"/folder/*.txt
(cd "$laid/folder" && mv -- *.ovf a.ovf && sed -i 's/small\.ovf/a.ovf/' -- *.mf && for file in small.mf small.cert; do mv "$file" "a${file#small}"; done)
base package folder "$laid"/folder/*
for format in ustar pax gnutar; do
    (cd "$laid/folder" && bsdtar --format "$format" -cf "../$format.ova" -- a.ovf *.vmdk)
    base package "$format" "$laid/$format.ova"
done
(cd "$laid" && tar --format=gnu --transform 's,^,a/long/folder/that/goes/on/and/on/to/more/than/a/hundred/bytes/so/that/gnu/needs/a/header/of/its/own/,' -cf long.tar disk.raw disk.qcow2)
base package long "$laid/long.tar"

# 7z archives, with headers that are not packed, so that they can be edited.
seven=0
for options in -m0=lzma -m0=lzma2 -m0=copy "-m0=lzma -ms=off" "-m0=bcj -m1=lzma"; do
    seven=$((seven + 1))
    # shellcheck disable=SC2086 # the options are words
    (cd "$laid" && 7zz a -bso0 -mhc=off $options "$seven.7z" EULA.txt disk.raw folder)
    base seven_zip "$seven" "$laid/$seven.7z"
done
packed_7z=$laid/packed.7z
vimage pack "$laid/appliance.toml" "$packed_7z" -O 7z
base seven_zip packed "$packed_7z"

# Disks of guests, as small as each file system goes.
guest() { # NAME SIZE MKFS…: a disk that is one volume
    truncate -s "$2" "$laid/guest.raw"
    "${@:3}" "$laid/guest.raw" >/dev/null 2>&1
    vimage convert "$laid/guest.raw" "bases/guest/$1.qcow2" -c --force
    rm "$laid/guest.raw"
}
files=$laid/files
mkdir "$files"
cp ../vimage-core/src/*.rs "$files"
guest ext2 1M mke2fs -q -t ext2 -b 1024 -d "$files"
guest ext4 16M mke2fs -q -t ext4 -d "$files"
guest bigalloc 64M mke2fs -q -t ext4 -O bigalloc -C 16384 -d "$files"
guest xfs5 300M mkfs.xfs -q
guest xfs4 300M mkfs.xfs -q -m crc=0
guest btrfs 128M mkfs.btrfs -q -r "$files"
guest ntfs 8M mkntfs -Q -F -q
guest fat12 1M mkfs.fat -F 12
guest fat16 16M mkfs.fat -F 16
guest fat32 64M mkfs.fat -F 32
guest exfat 16M mkfs.exfat
guest swap 1M mkswap
guest mbr 64M sh -c 'printf "2048,4096,L\n8192,4096,S\n16384,+,Ex\n20480,8192,L\n" | sfdisk -q "$0"'
guest gpt 64M sh -c 'printf "label: gpt\n2048,4096,L\n8192,4096,S\n" | sfdisk -q "$0"'
# LVM's tools want devices, which not every machine gives.
truncate -s 24M "$laid/guest.raw"
if device=$(losetup -f --show "$laid/guest.raw" 2>/dev/null); then
    config="devices { use_devicesfile=0 filter=[\"a|^$device\$|\",\"r|.*|\"] scan=\"/dev\" hints=\"none\" obtain_device_list_from_udev=0
        external_device_info_source=\"none\" md_component_detection=0 }
        global { locking_dir=\"$laid\" event_activation=0 use_lvmpolld=0 } backup { backup=0 archive=0 }
        activation { udev_sync=0 udev_rules=0 monitoring=0 }"
    lvm() { command lvm "$@" --driverloaded n --config "$config" >/dev/null 2>&1; }
    lvm pvcreate -y -ff "$device"
    lvm vgcreate -s 1m group "$device"
    for volume in one two; do lvm lvcreate -y -an -Zn -Wn -n "$volume" -l 4 group; done
    lvm lvextend -l +2 group/one
    losetup -d "$device"
    vimage convert "$laid/guest.raw" bases/guest/lvm.qcow2 -c
fi
rm "$laid/guest.raw"

# First inputs: each base with an edit, and with two.
for kind in image package seven_zip guest; do
    number=0
    for _ in bases/"$kind"/*; do
        byte=$(printf '\\%03o' $((number % 256)))
        # shellcheck disable=SC2059 # the bytes are in the format
        printf "$byte\\000\\001\\000\\000\\001\\000" >"$corpus/$kind/first-$number"
        # shellcheck disable=SC2059
        printf "$byte\\001\\002\\000\\000\\004\\377\\000\\001\\200\\070\\000\\000\\000\\001\\002" >"$corpus/$kind/second-$number"
        number=$((number + 1))
    done
done
streams() { # HOW FILE…: the first byte says how it comes
    for file in "${@:2}"; do
        [ "$(stat -c %s "$file")" -lt 200000 ] || continue
        # shellcheck disable=SC2059
        { printf "$1"; cat "$file"; } >"$corpus/stream/$(printf %s "$1" | tr -d '\\')-$(basename "$file")"
    done
}
streams '\012' "$corpus"/open/* "$laid"/*.ova "$laid"/long.tar
streams '\000' "$laid/disk.raw" "$laid/a.ova"
streams '\001' "$laid/disk.raw" "$laid/a.ova"
gzip -kn "$laid/disk.raw" && xz -k "$laid/disk.raw"
streams '\016' "$laid/disk.raw.gz" "$laid/disk.raw.xz" "$laid/plain.zst" "$laid/d.box"
cp "$laid"/folder/a.ovf "$corpus/ovf/ours"
if [ -n "${VIMAGE_SAMPLES:-}" ]; then
    find "$VIMAGE_SAMPLES" -name '*.ovf.zst' -size -64k -exec zstd -qdf --output-dir-flat "$corpus/ovf" {} +
fi
cp "$laid/appliance.toml" "$corpus/appliance/small"
vimage pack --init "$laid/disk.qcow2" "$laid/init.toml"
sed 's/^#\([^ ]\)/\1/' "$laid/init.toml" >"$corpus/appliance/template"
printf 'name "q"\nsome image\\.qcow2\n' >"$corpus/appliance/facts"
cp "$laid/folder/a.mf" "$corpus/manifest/plain"
{ cat "$laid/folder/a.cert"; printf '\0'; cat "$laid/folder/a.mf"; } >"$corpus/manifest/signed"
printf '\010\000\000\020\000\001\001\000\000\000\007\000\020' >"$corpus/round_trip/one"
