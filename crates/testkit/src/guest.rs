//! A guest with Debian's own kernel in QEMU, for what this machine's kernel can not or must not show.
