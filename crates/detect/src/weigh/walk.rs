//! Looks through the simple commands of a text: what runs, what flows from one to the next, where files go.

use super::command::{Scale, Strength};
use super::flows::wrapped;
use super::item::{self, DEEPEST};
use super::places::{self, contains};
use super::shell::{Redirect, Simple, Word, assignment, parse};
use super::{acts, code};
use calma_record::Text;

/// What comes out of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Flow {
    /// Nothing of interest.
    #[default]
    Plain,
    /// What somebody elsewhere sends.
    Download,
    /// What an encoded text says.
    Decoded,
    /// What stands in a file that anybody may have put there.
    Open,
}

impl Flow {
    fn words(self) -> &'static str {
        match self {
            Self::Plain => "a text",
            Self::Download => "what it downloads",
            Self::Decoded => "a decoded text",
            Self::Open => "a text from where anybody may put files",
        }
    }
}

/// What is known at one point of a text.
#[derive(Default)]
pub(super) struct State {
    /// Working directory, as far as the text sets it.
    pub(super) cwd: Vec<u8>,
    /// Files that a download or a decoded text went to.
    pub(super) fetched: Vec<(Vec<u8>, Flow)>,
    /// Variables that hold a download or a decoded text.
    held: Vec<(Vec<u8>, Flow)>,
    /// Copies of shells.
    pub(super) shells: Vec<Vec<u8>>,
    /// Whether a FIFO is made.
    fifo: bool,
    pub(super) depth: usize,
}

/// Words of the shell's grammar that stand before a command (sh(1)).
const RESERVED: &[&[u8]] = &[
    b"if", b"then", b"else", b"elif", b"fi", b"do", b"done", b"while", b"until", b"!", b"{", b"}", b"time",
    b"esac", b"coproc",
];

/// Weighs a text and returns what its last command puts out.
pub(super) fn text(scale: &mut Scale<'_, '_>, text: &[u8], depth: usize) -> Flow {
    if depth > DEEPEST {
        return Flow::Plain;
    }
    let commands = parse(text);
    let mut state = State { depth, ..State::default() };
    let mut flow = Flow::Plain;
    for simple in &commands {
        let incoming = if simple.piped { flow } else { Flow::Plain };
        flow = state.simple(scale, simple, incoming);
    }
    acts::whole(scale, text, &commands, state.fifo);
    flow
}

/// The words of a command behind those of the shell's grammar.
pub(super) fn behind_reserved(simple: &Simple) -> &[Word] {
    let reserved = |word: &&Word| !word.quoted && RESERVED.contains(&word.text.as_slice());
    simple.words.get(simple.words.iter().take_while(reserved).count()..).unwrap_or_default()
}

/// Whether a program's name is a shell's.
pub(super) fn is_shell(name: &[u8]) -> bool {
    matches!(
        name,
        b"sh"
            | b"bash"
            | b"dash"
            | b"ash"
            | b"zsh"
            | b"ksh"
            | b"mksh"
            | b"fish"
            | b"csh"
            | b"tcsh"
            | b"rbash"
            | b"static-sh"
    )
}

pub(super) fn base(path: &[u8]) -> &[u8] {
    path.rsplit(|b| *b == b'/').next().unwrap_or_default()
}

impl State {
    /// One simple command with what comes in; returns what goes out.
    fn simple(&mut self, scale: &mut Scale<'_, '_>, simple: &Simple, incoming: Flow) -> Flow {
        let mut input = incoming;
        for Redirect { operator, target } in &simple.redirects {
            let inside = self.inside(scale, target);
            if operator.ends_with(b"<<<") {
                input = if inside == Flow::Plain { self.holds(&target.text) } else { inside };
            } else if operator.ends_with(b"<") && inside != Flow::Plain {
                input = inside;
            } else if operator.ends_with(b"<") {
                input = self.fetched_as(&target.text).or_else(|| self.open(&target.text)).unwrap_or(input);
            }
        }
        let words = behind_reserved(simple);
        acts::one(scale, self, simple, words);
        let out = self.words(scale, words, simple, input);
        for Redirect { operator, target } in &simple.redirects {
            if operator.contains(&b'>')
                && out != Flow::Plain
                && !target.text.is_empty()
                && target.text != b"/dev/null"
            {
                let path = self.full(&target.text);
                self.fetched.push((path, out));
            }
        }
        out
    }

    /// The words of a command, after what the shell's grammar puts before it.
    fn words(&mut self, scale: &mut Scale<'_, '_>, words: &[Word], simple: &Simple, input: Flow) -> Flow {
        let mut words = words;
        while let Some((first, rest)) = words.split_first()
            && let Some((name, value)) = assignment(&first.text)
        {
            let inside = self.inside(scale, first);
            if inside != Flow::Plain {
                self.held.push((name.to_vec(), inside));
            }
            item::variable(scale, name, value, self.depth);
            words = rest;
        }
        let Some((first, rest)) = words.split_first() else { return Flow::Plain };
        let name = program_name(&first.text);
        if matches!(name, b"for" | b"select" | b"case" | b"function" | b"in") && !first.text.contains(&b'/') {
            for word in rest {
                self.inside(scale, word);
            }
            return Flow::Plain;
        }
        // `$(…)` and `$X` in the place of a command run what is in them.
        let ran = match self.inside(scale, first) {
            Flow::Plain => self.holds(&first.text),
            flow => flow,
        };
        self.runs(scale, ran);
        self.program(scale, &first.text);
        let arguments: Vec<Flow> = rest.iter().map(|word| self.inside(scale, word)).collect();
        let tainted = |index: usize| arguments.get(index).copied().unwrap_or_default();
        if let Some(at) = wrapped(name, rest) {
            return match rest.get(at..) {
                Some(behind) if !behind.is_empty() => {
                    if name == b"env"
                        && rest.iter().any(|word| word.text == b"-S" || word.text == b"--split-string")
                    {
                        for word in behind {
                            text(scale, &word.text, self.depth + 1);
                        }
                    }
                    self.words(scale, behind, simple, input)
                }
                _ => input,
            };
        }
        match name {
            b"cd" | b"pushd" => {
                if let Some(target) = rest.iter().find(|word| !word.text.starts_with(b"-")) {
                    self.cwd = self.full(&target.text);
                }
            }
            b"eval" => {
                let whole = rest.iter().map(|word| word.text.as_slice()).collect::<Vec<_>>().join(&b' ');
                let flow = arguments
                    .iter()
                    .copied()
                    .find(|flow| *flow != Flow::Plain)
                    .unwrap_or_else(|| self.holds(&whole));
                self.runs(scale, flow);
                if flow == Flow::Plain && encoded(&whole) {
                    scale.reason(Strength::Strong, "it evaluates a long encoded text");
                }
                text(scale, &whole, self.depth + 1);
            }
            b"trap" => {
                if let Some(word) = rest.first() {
                    text(scale, &word.text, self.depth + 1);
                }
            }
            b"export" | b"declare" | b"typeset" | b"local" | b"readonly" => {
                for (word, flow) in rest.iter().zip(&arguments) {
                    if let Some((name, value)) = assignment(&word.text) {
                        item::variable(scale, name, value, self.depth);
                        if *flow != Flow::Plain {
                            self.held.push((name.to_vec(), *flow));
                        }
                    }
                }
            }
            b"." | b"source" => {
                let flow = tainted(0);
                self.runs(scale, flow);
                if let Some(word) = rest.first() {
                    if matches!(word.text.as_slice(), b"/dev/stdin" | b"-" | b"/proc/self/fd/0") {
                        self.runs(scale, input);
                    } else {
                        self.program(scale, &word.text);
                    }
                }
            }
            b"su" | b"script" | b"flock" | b"watch" | b"runuser" => {
                self.string_after(scale, rest, &[b"-c", b"--command"])
            }
            b"cp" | b"mv" | b"ln" | b"install" => {
                let files: Vec<&Word> = rest.iter().filter(|word| !word.text.starts_with(b"-")).collect();
                if let (Some(from), Some(to)) = (files.iter().rev().nth(1), files.last()) {
                    if let Some(flow) = self.fetched_as(&from.text) {
                        self.fetched.push((self.full(&to.text), flow));
                    }
                    if is_shell(base(&from.text)) && from.text.contains(&b'/') && name != b"ln" {
                        self.shells.push(self.full(&to.text));
                    }
                }
            }
            b"mkfifo" | b"mknod" => {
                self.fifo |= name == b"mkfifo" || rest.iter().any(|word| word.text == b"p")
            }
            _ if is_shell(name) => return self.shell(scale, rest, &arguments, input),
            _ if code::language(name).is_some() => {
                return self.interpreter(scale, name, rest, &arguments, input);
            }
            _ => {
                if self.depth == 0 {
                    self.arguments(scale, rest);
                }
                return self.out(name, rest, simple, input);
            }
        }
        Flow::Plain
    }

    /// A shell: what it is told to run, or what it reads.
    fn shell(&mut self, scale: &mut Scale<'_, '_>, rest: &[Word], arguments: &[Flow], input: Flow) -> Flow {
        let mut index = 0;
        while let Some(word) = rest.get(index).map(|word| word.text.as_slice()) {
            let option = word.starts_with(b"-") && word.len() > 1 && !word.starts_with(b"--");
            if option && word.contains(&b'c') {
                // The text is the next word that is no option.
                let at = rest
                    .iter()
                    .skip(index + 1)
                    .position(|word| !word.text.starts_with(b"-"))
                    .map_or(rest.len(), |skip| index + 1 + skip);
                let flow = arguments.get(at).copied().unwrap_or_default();
                let Some(script) = rest.get(at) else { return Flow::Plain };
                let held = if flow == Flow::Plain { self.holds(&script.text) } else { flow };
                self.runs(scale, held);
                return text(scale, &script.text, self.depth + 1);
            }
            if word == b"-s" || word == b"-" {
                break;
            }
            if option || word.starts_with(b"--") || word.starts_with(b"+") {
                index += 1 + usize::from(matches!(word, b"-o" | b"-O" | b"--rcfile" | b"--init-file"));
                continue;
            }
            self.runs(scale, arguments.get(index).copied().unwrap_or_default());
            if matches!(word, b"/dev/stdin" | b"/proc/self/fd/0" | b"<()") {
                break;
            }
            self.program(scale, word);
            return Flow::Plain;
        }
        self.runs(scale, input);
        Flow::Plain
    }

    /// An interpreter of another language: a one-liner, a script, or what it reads.
    fn interpreter(
        &mut self,
        scale: &mut Scale<'_, '_>,
        name: &[u8],
        rest: &[Word],
        arguments: &[Flow],
        input: Flow,
    ) -> Flow {
        let Some(language) = code::language(name) else { return Flow::Plain };
        if language == code::Language::Awk {
            rest.iter().for_each(|word| code::weigh(scale, language, &word.text, true));
            return input;
        }
        for (index, word) in rest.iter().enumerate() {
            let word = word.text.as_slice();
            let short = word.starts_with(b"-") && !word.starts_with(b"--");
            let python = language == code::Language::Python;
            let one_line = match language {
                code::Language::Python => short && word.contains(&b'c'),
                code::Language::Php => matches!(word, b"-r" | b"-R" | b"-B" | b"--run"),
                code::Language::Perl => {
                    short
                        && (word.contains(&b'e') || word.contains(&b'E'))
                        && !word.starts_with(b"-M")
                        && !word.starts_with(b"-I")
                }
                _ => (short && word.contains(&b'e')) || matches!(word, b"--eval" | b"-p" | b"-pe"),
            };
            if one_line {
                let whole = rest.iter().map(|word| word.text.as_slice()).collect::<Vec<_>>().join(&b' ');
                code::weigh(scale, language, &whole, true);
                arguments.iter().for_each(|flow| self.runs(scale, *flow));
                return if code::fetches(&whole) {
                    Flow::Download
                } else if code::decodes(&whole) {
                    Flow::Decoded
                } else {
                    input
                };
            }
            if python && word == b"-m" {
                return input;
            }
            if word == b"-" || word == b"/dev/stdin" {
                break;
            }
            if word.starts_with(b"-") {
                continue;
            }
            if rest.get(index.wrapping_sub(1)).is_some_and(|before| {
                matches!(before.text.as_slice(), b"-W" | b"-X" | b"-I" | b"-d" | b"-c" | b"-r")
            }) && index > 0
                && !word.starts_with(b"/")
            {
                continue;
            }
            self.runs(scale, arguments.get(index).copied().unwrap_or_default());
            self.program(scale, word);
            return Flow::Plain;
        }
        self.runs(scale, input);
        Flow::Plain
    }

    /// Says that an interpreter runs what flows into it.
    fn runs(&self, scale: &mut Scale<'_, '_>, flow: Flow) {
        if flow != Flow::Plain {
            scale.reason(Strength::Strong, format!("it runs {}", flow.words()));
        }
    }

    /// The substitutions of a word: weighed, and what they put out.
    fn inside(&mut self, scale: &mut Scale<'_, '_>, word: &Word) -> Flow {
        let mut flow = Flow::Plain;
        for inside in &word.inside {
            // What the surrounding text holds counts inside too.
            let out =
                if inside.starts_with(b"(") { Flow::Plain } else { text(scale, inside, self.depth + 1) };
            if out != Flow::Plain {
                flow = out;
            }
        }
        flow
    }

    /// What a word holds through a variable in it.
    pub(super) fn holds(&self, word: &[u8]) -> Flow {
        self.held
            .iter()
            .find(|(name, _)| {
                contains(word, &[b"$", name.as_slice()].concat())
                    || contains(word, &[b"${", name.as_slice(), b"}"].concat())
            })
            .map(|(_, flow)| *flow)
            .unwrap_or_default()
    }

    /// Whether a text comes from a place that anybody may write to.
    pub(super) fn open(&self, path: &[u8]) -> Option<Flow> {
        let path = self.full(path);
        let kept = !path.starts_with(b"/dev/")
            || path.starts_with(b"/dev/shm/")
            || path.starts_with(b"/dev/mqueue/");
        (kept && !path.starts_with(b"/proc/") && !path.starts_with(b"/sys/") && places::is_open(&path))
            .then_some(Flow::Open)
    }

    pub(super) fn fetched_as(&self, path: &[u8]) -> Option<Flow> {
        let path = self.full(path);
        self.fetched.iter().find(|(known, _)| *known == path).map(|(_, flow)| *flow)
    }

    /// A word in the place of a program or a script.
    fn program(&self, scale: &mut Scale<'_, '_>, word: &[u8]) {
        let word = word.get(word.iter().take_while(|b| b"-@:+!|".contains(b)).count()..).unwrap_or_default();
        if let Some(flow) = self.fetched_as(word) {
            let shown = Text::from(word);
            scale.path(&self.full(word));
            scale.reason(Strength::Strong, format!("it runs {shown}, which holds {}", flow.words()));
        }
        if word.contains(&b'/') {
            let path = self.full(word);
            if path.starts_with(b"/") && !path.contains(&b'$') {
                item::run(scale, &path, self.depth);
            } else if path.starts_with(b"/") {
                item::place(scale, &path);
            }
        } else if !word.is_empty() && self.depth == 0 {
            let directories: [&[u8]; 6] =
                [b"/usr/local/sbin/", b"/usr/local/bin/", b"/usr/sbin/", b"/usr/bin/", b"/sbin/", b"/bin/"];
            let found = directories.iter().map(|directory| [directory, word].concat());
            let found = found.filter(|path| {
                scale.files.get(&Text::from(path.as_slice())).is_some_and(|row| row.what != "missing")
            });
            if let Some(path) = found.into_iter().next() {
                item::run(scale, &path, self.depth);
            }
        }
    }

    /// Arguments of a program calma does not know: one that is a program in an odd place is as good as run.
    fn arguments(&self, scale: &mut Scale<'_, '_>, rest: &[Word]) {
        for word in rest {
            let value = assignment(&word.text).map_or(word.text.as_slice(), |(_, value)| value);
            let path = self.full(value.rsplit(|b| *b == b'=').next().unwrap_or_default());
            let Some(row) = scale.files.get(&Text::from(path.as_slice())) else { continue };
            let program = row.what == "file" && (row.elf || row.mode & 0o111 != 0);
            if program && (places::is_open(&path) || places::is_hidden(&path) || places::is_deceptive(&path))
            {
                item::run(scale, &path, self.depth);
            }
        }
    }

    /// Weighs the text behind one of `options`.
    fn string_after(&mut self, scale: &mut Scale<'_, '_>, rest: &[Word], options: &[&[u8]]) {
        let mut words = rest.iter();
        while let Some(word) = words.next() {
            let joined = word.text.strip_prefix(b"--command=");
            if let Some(script) = joined.or_else(|| {
                options
                    .contains(&word.text.as_slice())
                    .then(|| words.next().map(|w| w.text.as_slice()))
                    .flatten()
            }) {
                text(scale, script, self.depth + 1);
            }
        }
    }

    /// A path as the text means it: homes and the directory it went to put in front.
    pub(super) fn full(&self, word: &[u8]) -> Vec<u8> {
        for home in [&b"~/"[..], b"$HOME/", b"${HOME}/", b"%h/"] {
            if let Some(rest) = word.strip_prefix(home) {
                return [b"/home/~/", rest].concat();
            }
        }
        let (mut base, word) = match word.strip_prefix(b"./") {
            _ if word.starts_with(b"/") => return word.to_vec(),
            Some(rest) => (self.cwd.clone(), rest),
            None => (self.cwd.clone(), word),
        };
        if base.is_empty() {
            return word.to_vec();
        }
        base.push(b'/');
        base.extend_from_slice(word);
        base
    }
}

/// A program's name without its directory and without the prefixes of systemd.service(5).
pub(super) fn program_name(word: &[u8]) -> &[u8] {
    let start = word.iter().take_while(|b| b"-@:+!|\\".contains(b)).count();
    if start == word.len() { word } else { base(word.get(start..).unwrap_or_default()) }
}

/// Whether a text has a long run that looks like base64 or hexadecimal digits.
fn encoded(text: &[u8]) -> bool {
    text.split(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'+' | b'=')))
        .any(|run| run.len() >= 60 && run.iter().any(u8::is_ascii_digit))
}
