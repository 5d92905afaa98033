//! Arguments and environment of a process: /proc/PID/cmdline and /proc/PID/environ.

use crate::Format;
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "process-strings",
    doc: "Arguments and environment of a process.",
    manual: "proc_pid_cmdline(5), proc_pid_environ(5)",
    samples: &[b"/usr/sbin/sshd\0-D\0\0", b"PATH=/bin\0LD_PRELOAD=/tmp/a=b.so\0=x\0nothing\0"],
    feed: |bytes| drop((arguments(bytes), variables(bytes).count())),
};

/// More arguments than this are given as one rest.
const MOST: usize = 1024;

/// The arguments. A process that wrote over them leaves padding at the end, which is left out.
pub fn arguments(bytes: &[u8]) -> Vec<Text> {
    let end = bytes.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
    if end == 0 {
        return Vec::new();
    }
    bytes.get(..end).unwrap_or_default().splitn(MOST, |b| *b == 0).map(Text::from).collect()
}

/// The variables, as name and value. Strings without a name are left out.
pub fn variables(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    bytes.split(|b| *b == 0).filter_map(|string| {
        let at = string.iter().position(|b| *b == b'=').filter(|at| *at > 0)?;
        Some((string.get(..at)?, string.get(at + 1..)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_end_at_zero_bytes() {
        assert_eq!(arguments(b"a\0\0b\0\0\0"), ["a".into(), Text::default(), "b".into()]);
        assert!(arguments(b"\0\0").is_empty());
        let seen: Vec<_> = variables(FORMAT.samples[1]).collect();
        assert_eq!(seen, [(&b"PATH"[..], &b"/bin"[..]), (b"LD_PRELOAD", b"/tmp/a=b.so")]);
    }
}
