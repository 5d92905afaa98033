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
          bpf_trampoline_x (1) R   D   \n\tdirect-->bpf_trampoline_6442466562+0x0/0x100\nvfs_read (1)   \tramp: 0xffffffffc0a01000 (0xffffffffc0d55040) ->x+0x0/0x1\n",
        b"ffffffffa1234560  k  do_sys_open+0x0    [FTRACE]\n",
    ],
    feed: |bytes| {
        handler(bytes);
        helper(bytes);
        hooked(bytes);
        probes(bytes);
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
    /// The function that is called by the hook, or its address where it has no name.
    pub callback: Text,
}

/// The hooked functions, at most 10,000. What a line that begins with a blank says belongs to the function before it.
pub fn hooked(bytes: &[u8]) -> Vec<Hooked> {
    let mut all: Vec<Hooked> = Vec::new();
    for line in bytes.split(|b| *b == b'\n') {
        if line.first().is_some_and(u8::is_ascii_whitespace) {
            if let Some(last) = all.last_mut() {
                owner(line, last);
            }
            continue;
        }
        let Some(function) = lines::words(line).next() else { continue };
        if all.len() >= 10_000 {
            break;
        }
        // Flags stand in single letters between the count and what follows a tab or "tramp:".
        let rest = line.get(function.len()..).unwrap_or_default();
        let flags = rest.split(|b| *b == b':').next().unwrap_or_default();
        let flag = |letter: &[u8]| lines::words(flags).any(|word| word == letter);
        let mut hook = Hooked {
            function: function.into(),
            diverts: flag(b"I"),
            direct: flag(b"D"),
            ..Hooked::default()
        };
        owner(rest, &mut hook);
        all.push(hook);
    }
    all
}

/// Takes the called function in parentheses, `(name+0x0/0x40 [module])`, and any module named.
fn owner(text: &[u8], hook: &mut Hooked) {
    let module = text
        .split(|b| *b == b'[')
        .skip(1)
        .filter_map(|part| part.split(|b| *b == b']').next())
        .find(|name| !name.starts_with(b"__builtin__") && *name != b"bpf");
    if let Some(module) = module.filter(|_| hook.module.is_empty()) {
        hook.module = module.into();
    }
    // The first parentheses of a function's own line hold a count.
    let called = text
        .split(|b| *b == b'(')
        .skip(1)
        .filter_map(|part| part.split(|b| matches!(b, b')' | b'+' | b' ')).next())
        .find(|name| !name.is_empty() && !name.iter().all(u8::is_ascii_digit));
    if let Some(called) = called.filter(|_| hook.callback.is_empty()) {
        hook.callback = called.into();
    }
}

/// A probe of the kernel's own list (`kprobes/list` of debugfs): type and place.
pub fn probes(bytes: &[u8]) -> Vec<(Text, Text)> {
    let one = |(_, line): (u32, &[u8])| {
        let (_, place) = (lines::words(line).next()?, lines::words(line).nth(2)?);
        let function = place.split(|b| *b == b'+').next()?;
        Some((function.into(), line.into()))
    };
    lines::meaningful(bytes).filter_map(one).take(2000).collect()
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
        assert_eq!(hooks[0].callback, "fh_ftrace_thunk");
        assert!(hooks[1].direct && hooks[1].module.is_empty() && hooks.len() == 3);
        assert_eq!(hooks[2].callback, "0xffffffffc0d55040");
        assert_eq!(probes(FORMAT.samples[4])[0].0, "do_sys_open");
    }
}
