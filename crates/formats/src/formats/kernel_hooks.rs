//! Where the kernel says that something hooks it or that it runs a program: binfmt_misc, kprobe events, hooked functions.

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "kernel_hooks",
    doc: "binfmt_misc handlers, programs of kernel helpers, and the tracer's list of hooked functions.",
    manual: "Documentation/admin-guide/binfmt-misc.rst, core(5), Documentation/trace/ftrace.rst",
    samples: &[
        b"enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OCF\noffset 0\nmagic 7f454c460201\nmask ffffffffffff\n",
        b"enabled\ninterpreter /usr/bin/wine\nflags: \nextension .exe\n",
        b"|/usr/lib/systemd/systemd-coredump %P %u %g\n",
        b"__x64_sys_getdents64 (1) R I     tramp: ffffffffc0a01000 (fh_ftrace_thunk+0x0/0x40 [lkm]) ->ftrace_ops_list_func+0x0/0x1b0\n\
          bpf_trampoline_x (1) R   D   \tdirect-->bpf_trampoline_6442466562+0x0/0x100\n",
    ],
    feed: |bytes| {
        handler(bytes);
        helper(bytes);
        hooked(bytes);
    },
};

/// A handler of binfmt_misc.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handler {
    /// Whether it is in use.
    pub enabled: bool,
    /// The program that runs in place of the matching file.
    pub interpreter: Text,
    /// `C` runs it with the matching file's rights, `F` opened it when it was registered.
    pub flags: Text,
    /// The first bytes of matching files as hexadecimal digits; empty if it goes by name.
    pub magic: Text,
    /// The end of matching names.
    pub extension: Text,
}

/// A handler's file of /proc/sys/fs/binfmt_misc.
pub fn handler(bytes: &[u8]) -> Option<Handler> {
    let mut handler = Handler::default();
    for (_, line) in lines::meaningful(bytes) {
        let mut words = lines::words(line);
        let (name, value) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        match name {
            b"enabled" => handler.enabled = true,
            b"interpreter" => {
                handler.interpreter = line.strip_prefix(b"interpreter ").unwrap_or(value).trim_ascii().into();
            }
            b"flags:" => handler.flags = value.into(),
            b"magic" => handler.magic = value.into(),
            b"extension" => handler.extension = value.into(),
            _ => {}
        }
    }
    (!handler.interpreter.is_empty()).then_some(handler)
}

/// The program in the value of a setting that makes the kernel run one: `|/path arguments` in core_pattern, a path elsewhere.
pub fn helper(value: &[u8]) -> Option<&[u8]> {
    let value = value.trim_ascii();
    let value = value.strip_prefix(b"|").unwrap_or(value).trim_ascii();
    lines::words(value).next().filter(|word| word.starts_with(b"/"))
}

/// A function of the kernel that something hooked (`enabled_functions` of tracefs).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hooked {
    /// The function.
    pub function: Text,
    /// Whether the hook may change where the function returns to or goes on (`I`: the instruction pointer is changed).
    pub diverts: bool,
    /// Whether the hook is called directly, as BPF trampolines are.
    pub direct: bool,
    /// The module that owns the hook, where the line names one.
    pub module: Text,
}

/// The hooked functions, at most 10,000.
pub fn hooked(bytes: &[u8]) -> Vec<Hooked> {
    let one = |line: &[u8]| {
        let function = lines::words(line).next()?;
        // Flags stand in single letters between the count and what follows a tab or "tramp:".
        let rest = line.get(function.len()..)?;
        let flags = rest.split(|b| *b == b':').next().unwrap_or_default();
        let flag = |letter: &[u8]| lines::words(flags).any(|word| word == letter);
        let module = rest
            .split(|b| *b == b'[')
            .skip(1)
            .filter_map(|part| part.split(|b| *b == b']').next())
            .find(|name| !name.starts_with(b"__builtin__") && *name != b"bpf");
        Some(Hooked {
            function: function.into(),
            diverts: flag(b"I"),
            direct: flag(b"D"),
            module: module.unwrap_or_default().into(),
        })
    };
    bytes.split(|b| *b == b'\n').filter_map(one).take(10_000).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handlers_helpers_and_hooks() {
        let qemu = handler(FORMAT.samples[0]).unwrap();
        assert!(qemu.enabled && qemu.interpreter == "/usr/bin/qemu-aarch64-static" && qemu.flags == "OCF");
        assert_eq!(handler(FORMAT.samples[1]).unwrap().extension, ".exe");
        assert_eq!(helper(FORMAT.samples[2]), Some(&b"/usr/lib/systemd/systemd-coredump"[..]));
        assert_eq!((helper(b"core\n"), helper(b"| /x y")), (None, Some(&b"/x"[..])));
        let hooks = hooked(FORMAT.samples[3]);
        assert!(hooks[0].diverts && hooks[0].module == "lkm" && !hooks[0].direct);
        assert!(hooks[1].direct && hooks[1].module.is_empty());
    }
}
