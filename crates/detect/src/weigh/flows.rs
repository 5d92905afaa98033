//! What flows out of ordinary programs: downloads, decoded texts; and programs that run the rest of their line.

use super::places::contains;
use super::shell::{Simple, Word, assignment};
use super::walk::{Flow, State, base};

impl State {
    /// What another program puts out, and the files it fetches.
    pub(super) fn out(&mut self, name: &[u8], rest: &[Word], simple: &Simple, input: Flow) -> Flow {
        let has = |option: &[u8]| rest.iter().any(|word| word.text == option);
        let short = |letter: u8| {
            rest.iter().any(|word| {
                word.text.starts_with(b"-") && !word.text.starts_with(b"--") && word.text.contains(&letter)
            })
        };
        let network = simple
            .redirects
            .iter()
            .any(|r| contains(&r.target.text, b"/dev/tcp/") || contains(&r.target.text, b"/dev/udp/"));
        match name {
            b"curl" | b"wget" | b"fetch" | b"aria2c" | b"axel" | b"lynx" | b"links" | b"w3m" | b"GET"
            | b"lwp-request" | b"lwp-download" | b"tftp" | b"ftp" | b"scp" | b"http" | b"https" => {
                self.download(name, rest)
            }
            b"nc" | b"ncat" | b"netcat" | b"telnet" | b"socat" | b"dig" | b"nslookup" | b"host" => {
                Flow::Download
            }
            b"openssl" if has(b"s_client") => Flow::Download,
            b"openssl" if has(b"-d") => Flow::Decoded,
            b"base64" | b"base32" | b"basenc" | b"gpg" | b"gpg2" | b"bzip2" | b"xz" | b"lzma" | b"zstd"
            | b"lz4" | b"gzip" | b"pigz"
                if short(b'd') || has(b"--decode") || has(b"--decompress") || short(b'D') =>
            {
                Flow::Decoded
            }
            b"xxd" if short(b'r') => Flow::Decoded,
            b"gunzip" | b"zcat" | b"bzcat" | b"xzcat" | b"unxz" | b"bunzip2" | b"lzcat" | b"zstdcat"
            | b"uudecode" | b"rev" | b"rot13" => {
                if input == Flow::Download {
                    input
                } else {
                    Flow::Decoded
                }
            }
            b"tr"
                if rest.len() >= 2 && input == Flow::Plain && rest.iter().all(|word| word.text.len() > 8) =>
            {
                Flow::Decoded
            }
            b"echo" | b"printf" if rest.iter().any(|word| escapes(&word.text) > 3) => Flow::Decoded,
            b"echo" | b"printf" => rest
                .iter()
                .map(|word| self.holds(&word.text))
                .find(|flow| *flow != Flow::Plain)
                .unwrap_or_default(),
            b"cat" | b"head" | b"tail" | b"dd" if network => Flow::Download,
            b"cat" | b"tee" | b"tr" | b"sed" | b"grep" | b"egrep" | b"head" | b"tail" | b"cut" | b"tac"
            | b"sort" | b"dd" | b"pv" | b"dos2unix" | b"fold" | b"paste" => rest
                .iter()
                .map(|word| word.text.strip_prefix(b"if=").unwrap_or(&word.text))
                .find_map(|path| self.fetched_as(path).or_else(|| self.open(path)))
                .unwrap_or(input),
            _ => Flow::Plain,
        }
    }

    /// A program that fetches: to its output, or to a file.
    fn download(&mut self, name: &[u8], rest: &[Word]) -> Flow {
        let mut target: Option<Vec<u8>> = None;
        let mut directory = Vec::new();
        let mut remote = name == b"wget" || name == b"aria2c" || name == b"axel" || name == b"lwp-download";
        let mut url: &[u8] = b"";
        let mut words = rest.iter().map(|word| word.text.as_slice()).peekable();
        while let Some(word) = words.next() {
            let long = |option: &[u8]| word.strip_prefix(option).map(<[u8]>::to_vec);
            if let Some(value) = long(b"--output=").or_else(|| long(b"--output-document=")) {
                target = Some(value);
            } else if word == b"--output" || word == b"--output-document" {
                target = words.next().map(<[u8]>::to_vec);
            } else if word.starts_with(b"-") && !word.starts_with(b"--") {
                let letter = if name == b"wget" { b'O' } else { b'o' };
                if name == b"curl" && word.contains(&b'O') {
                    remote = true;
                }
                if name == b"wget" && word.ends_with(b"P") {
                    directory = words.next().unwrap_or_default().to_vec();
                } else if let Some(at) = word.iter().position(|b| *b == letter) {
                    let behind = word.get(at + 1..).unwrap_or_default();
                    target = if behind.is_empty() {
                        words.next().map(<[u8]>::to_vec)
                    } else {
                        Some(behind.to_vec())
                    };
                }
            } else if !word.is_empty() && (url.is_empty() || contains(word, b"://")) {
                url = word;
            }
        }
        match target {
            Some(target) if target == b"-" || target == b"/dev/stdout" => Flow::Download,
            Some(target) => {
                let path = self.full(&target);
                self.fetched.push((path, Flow::Download));
                Flow::Plain
            }
            None if remote => {
                let file = base(url.split(|b| *b == b'?').next().unwrap_or_default());
                let path = if directory.is_empty() {
                    self.full(file)
                } else {
                    self.full(&[directory.as_slice(), b"/", file].concat())
                };
                self.fetched.push((path, Flow::Download));
                Flow::Plain
            }
            None => Flow::Download,
        }
    }
}

/// How many `\x41` escapes a text has.
fn escapes(text: &[u8]) -> usize {
    text.windows(2).filter(|pair| *pair == b"\\x" || *pair == b"\\0" || *pair == b"\\1").count()
}

/// Where the command begins that a wrapper runs, if `name` is one.
pub(super) fn wrapped(name: &[u8], rest: &[Word]) -> Option<usize> {
    let mut positional = match name {
        b"env" | b"sudo" | b"doas" | b"nohup" | b"setsid" | b"exec" | b"command" | b"builtin" | b"nice"
        | b"ionice" | b"stdbuf" | b"xargs" | b"parallel" | b"unshare" | b"nsenter" | b"setpriv"
        | b"busybox" | b"toybox" | b"strace" | b"ltrace" | b"systemd-run" | b"systemd-cat"
        | b"systemd-inhibit" | b"logsave" | b"chronic" | b"prlimit" | b"cgexec" | b"torsocks"
        | b"proxychains" | b"proxychains4" | b"dbus-run-session" | b"fakeroot" | b"catchsegv" | b"rlwrap"
        | b"unbuffer" | b"daemon" | b"daemonize" | b"then" => 0,
        b"timeout" | b"chroot" | b"taskset" | b"chrt" | b"gosu" | b"su-exec" | b"setarch" | b"softlimit" => 1,
        b"flock" if !rest.iter().any(|word| word.text == b"-c") => 1,
        b"runuser" if rest.iter().any(|word| word.text == b"-u" || word.text == b"--") => 0,
        b"start-stop-daemon" => {
            let at = rest
                .iter()
                .position(|word| matches!(word.text.as_slice(), b"--exec" | b"-x" | b"--startas" | b"-a"));
            return at.map(|at| at + 1);
        }
        b"find" => {
            return rest
                .iter()
                .position(|word| matches!(word.text.as_slice(), b"-exec" | b"-execdir" | b"-ok"))
                .map(|at| at + 1);
        }
        _ if name.starts_with(b"ld-linux") || name.starts_with(b"ld-musl") || name == b"ld.so" => 0,
        _ => return None,
    };
    let takes: [&[u8]; 14] = [
        b"-u",
        b"-g",
        b"-n",
        b"-c",
        b"-s",
        b"-k",
        b"-C",
        b"-p",
        b"-o",
        b"-I",
        b"-w",
        b"-P",
        b"--argv0",
        b"--library-path",
    ];
    let mut index = 0;
    while let Some(word) = rest.get(index).map(|word| word.text.as_slice()) {
        let simple_flag = name == b"setsid" || name == b"nohup" || name == b"exec" && word == b"-c";
        if word.starts_with(b"-") {
            index += 1 + usize::from(
                (takes.contains(&word) && !simple_flag) || (name == b"exec" && word == b"-a"),
            );
        } else if assignment(word).is_some() {
            index += usize::from(!matches!(name, b"env" | b"sudo"));
            if matches!(name, b"env" | b"sudo") {
                return Some(index);
            }
        } else if positional > 0 {
            positional -= 1;
            index += 1;
        } else {
            return Some(index);
        }
    }
    Some(rest.len())
}
