//! Shapes of programs in other languages than the shell's: one-liners given to an interpreter, and scripts.
//!
//! A one-liner is judged by what it has in it; a script, where sockets and subprocesses are ordinary, by what stands close
//! together or has no ordinary use.

use super::command::{Scale, Strength};
use super::places::contains;

/// A language whose programs are looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Python,
    Perl,
    Ruby,
    Php,
    Lua,
    Node,
    Awk,
}

/// The language of an interpreter by its program's name, with or without a version: `python3.11`.
pub(super) fn language(program: &[u8]) -> Option<Language> {
    let stem = program
        .iter()
        .rposition(|b| !(b.is_ascii_digit() || matches!(b, b'.' | b'-')))
        .and_then(|at| program.get(..=at))
        .unwrap_or_default();
    match stem {
        b"python" | b"pypy" => Some(Language::Python),
        b"perl" => Some(Language::Perl),
        b"ruby" | b"jruby" => Some(Language::Ruby),
        b"php" | b"php-cli" | b"php-cgi" => Some(Language::Php),
        b"lua" | b"luajit" | b"texlua" => Some(Language::Lua),
        b"node" | b"nodejs" | b"bun" | b"deno" => Some(Language::Node),
        b"awk" | b"gawk" | b"mawk" | b"nawk" => Some(Language::Awk),
        _ => None,
    }
}

/// The language a script's name says.
pub(super) fn language_of_name(path: &[u8]) -> Option<Language> {
    let endings: [(&[u8], Language); 6] = [
        (b".py", Language::Python),
        (b".pl", Language::Perl),
        (b".rb", Language::Ruby),
        (b".php", Language::Php),
        (b".lua", Language::Lua),
        (b".js", Language::Node),
    ];
    endings.iter().find(|(ending, _)| path.ends_with(ending)).map(|(_, language)| *language)
}

/// Whether `text` has one of the `needles`.
fn any(text: &[u8], needles: &[&str]) -> bool {
    needles.iter().any(|needle| contains(text, needle.as_bytes()))
}

/// Whether a `first` stands with a `second` at most `distance` bytes behind it.
fn close(text: &[u8], first: &[&str], second: &[&str], distance: usize) -> bool {
    first.iter().any(|needle| {
        let length = needle.len();
        text.windows(length).enumerate().filter(|(_, window)| *window == needle.as_bytes()).any(|(at, _)| {
            let end = text.len().min(at + length + distance);
            text.get(at + length..end).is_some_and(|rest| any(rest, second))
        })
    })
}

const DECODE: &[&str] = &[
    "b64decode",
    "b32decode",
    "b85decode",
    "a85decode",
    "base64",
    "fromhex",
    "unhexlify",
    "rot13",
    "rot_13",
    "decompress",
    "marshal.loads",
    "decode_base64",
    "unpack",
    "pack(",
    "pack\"",
    "pack '",
    "gzinflate",
    "gzuncompress",
    "str_rot13",
    "hex2bin",
    "convert_uudecode",
    "atob",
    "Buffer.from",
    "chr(",
    "\\x",
];
const RUN: &[&str] = &[
    "exec(",
    "exec (",
    "eval(",
    "eval (",
    "eval{",
    "eval ",
    "__import__",
    "assert(",
    "instance_eval",
    "system(",
    "vm.runIn",
    "loadstring",
    "load(",
    "create_function",
    "Function(",
];
const SHELLS: &[&str] = &[
    "/bin/sh",
    "/bin/bash",
    "/bin/dash",
    "/bin/zsh",
    "\"sh\"",
    "'sh'",
    "\"bash\"",
    "'bash'",
    "sh -i",
    "bash -i",
    "sh.exe",
];
const FETCH: &[&str] = &[
    "urlopen",
    "urlretrieve",
    "requests.get",
    "http.client",
    "LWP::Simple",
    "HTTP::Tiny",
    "open-uri",
    "Net::HTTP",
    "URI.open",
    "file_get_contents('http",
    "file_get_contents(\"http",
    "curl_exec",
    "https.get",
    "http.get",
    "fetch(",
    "socket.http",
];

/// What connects, and what hands a connection to a program, by language.
fn network(language: Language) -> (&'static [&'static str], &'static [&'static str]) {
    match language {
        Language::Python => (
            &["socket.socket", "socket(", "create_connection", "import socket", "socket as "],
            &["dup2", "pty.spawn", "subprocess", "os.system", "popen", "Popen", "execve", "execl", "exec("],
        ),
        Language::Perl => (
            &["socket(", "IO::Socket", "use Socket", "MSocket"],
            &["exec", "system", "open(STDIN", "STDIN->fdopen", "open STDIN", "dup2", "`", "qx"],
        ),
        Language::Ruby => (
            &["TCPSocket", "TCPServer", "Socket.tcp", "-rsocket"],
            &["exec", "spawn", "popen", "system", "`", "reopen"],
        ),
        Language::Php => (
            &["fsockopen", "stream_socket_client", "socket_create", "pfsockopen", "stream_socket_server"],
            &["exec", "proc_open", "popen", "system", "passthru", "`"],
        ),
        Language::Lua => {
            (&["require(\"socket", "require('socket", "socket.tcp"], &["os.execute", "io.popen"])
        }
        Language::Node => (
            &["net.connect", "net.Socket", "createConnection", "net.createServer", "(\"net\")", "('net')"],
            &["child_process", "spawn", "exec"],
        ),
        Language::Awk => (&["/inet/tcp/", "/inet/udp/", "/inet4/", "/inet6/"], &["|&", "system(", "getline"]),
    }
}

/// Weighs a program's text.
pub(super) fn weigh(scale: &mut Scale<'_, '_>, language: Language, text: &[u8], one_line: bool) {
    let (connects, hands) = network(language);
    let shell = any(text, SHELLS);
    let direct: &[&str] = &[
        "dup2",
        "pty.spawn",
        "open(STDIN",
        "STDIN->fdopen",
        "open STDIN",
        "reopen",
        "proc_open",
        "stdin.pipe",
        ".pipe(sh",
        "|&",
    ];
    if any(text, connects)
        && any(text, hands)
        && (one_line || (shell && any(text, direct)) || (language == Language::Awk && any(text, hands)))
    {
        scale.reason(Strength::Plain, "it connects a program to the network: a remote shell");
    }
    let encoded = if one_line {
        any(text, DECODE) && any(text, RUN)
    } else {
        let decode: &[&str] = &[
            "b64decode",
            "base64_decode",
            "decode_base64",
            "b32decode",
            "b85decode",
            "fromhex",
            "unhexlify",
            "marshal.loads",
            "gzinflate",
            "str_rot13",
            "hex2bin",
            "atob(",
            "unpack(\"u",
            "unpack('u",
            "unpack(\"H",
            "unpack('H",
            "pack(\"H",
            "pack('H",
            "unpack(\"m",
            "unpack('m",
            "Base64.decode64",
            "decompress(",
        ];
        close(
            text,
            &[
                "exec(",
                "exec (",
                "eval(",
                "eval (",
                "eval ",
                "assert(",
                "instance_eval(",
                "system(",
                "loadstring(",
                "load(",
                "Function(",
            ],
            decode,
            120,
        )
    };
    if encoded {
        scale.reason(Strength::Plain, "it decodes a text and runs what comes out");
    }
    let fetched = if one_line {
        any(text, FETCH) && any(text, RUN)
    } else {
        close(text, &["exec(", "eval(", "eval ", "system("], FETCH, 80)
    };
    if fetched {
        scale.reason(Strength::Strong, "it downloads a text and runs it");
    }
    // A buffer in memory is ordinary; running what it holds is not.
    let memory_file = any(text, &["memfd_create", "syscall(319", "syscall 319", "syscall(279"]);
    if memory_file && (one_line || any(text, &["exec", "/fd/", "/proc/self", "popen", "spawn", "system("])) {
        let strength = if one_line { Strength::Plain } else { Strength::Strong };
        scale.reason(strength, "it makes a program in memory that has no file");
    }
    if any(text, &["stratum+tcp", "stratum+ssl"]) {
        scale.reason(Strength::Plain, "it mines cryptocurrency");
    }
}

/// Whether a one-liner only fetches something and prints it, so that what reads its output reads a download.
pub(super) fn fetches(text: &[u8]) -> bool {
    any(text, FETCH)
}

/// Whether a one-liner decodes something and prints it.
pub(super) fn decodes(text: &[u8]) -> bool {
    any(
        text,
        &[
            "b64decode",
            "base64",
            "fromhex",
            "unhexlify",
            "rot13",
            "decompress",
            "unpack",
            "pack",
            "gzinflate",
            "hex2bin",
            "decode64",
        ],
    )
}
