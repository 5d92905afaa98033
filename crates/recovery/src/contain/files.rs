//! What a fact says of a file: the line that is to go, or the whole of it.

use crate::side::{Side, SideError};
use calma_case::{Case, CaseError};
use calma_host::ground::ProcessLine;
use calma_record::step::Target;
use calma_record::{Body, Certainty, Finding, Subject, Text};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A step of a file: action, target, and why it is not ticked.
pub(super) type Thought = (&'static str, Target, String);

/// Folders of the service manager.
const MANAGER: &[&[u8]] =
    &[b"/etc/systemd/", b"/run/systemd/", b"/usr/lib/systemd/", b"/usr/local/lib/systemd/", b"/lib/systemd/"];

/// The files of this host as they are now, and what was seen of them.
pub(super) struct Files<'a> {
    side: &'a dyn Side,
    /// Which package owns a path, where a fact says so; `None` where none does.
    packages: BTreeMap<Text, Option<Text>>,
    /// Lines that are to go, by file.
    lines: BTreeMap<Text, BTreeSet<Text>>,
    /// Paths that findings name: a line that holds one of them is meant.
    named: BTreeSet<Text>,
}

pub(super) fn column<'v>(fact: &'v Value, name: &str) -> Option<&'v Value> {
    fact.as_object()?.values().next()?.get(name)
}

pub(super) fn text(fact: &Value, name: &str) -> Option<Text> {
    Text::from_escaped(column(fact, name)?.as_str()?)
}

/// The path that a fact is about.
pub(super) fn path_of(fact: &Value) -> Option<Text> {
    text(fact, "path")
}

pub(super) fn kind(fact: &Value) -> &str {
    fact.as_object().and_then(|object| object.keys().next()).map_or("", String::as_str)
}

/// Whether a fact is about something that is started, loaded or let in by itself, not about a file that only lies there.
pub(super) fn starts_something(fact: &Value) -> bool {
    !matches!(kind(fact), "file" | "special-file" | "web-file" | "walked-file" | "process" | "open-file")
}

impl<'a> Files<'a> {
    /// Reads from the case which packages own the paths that findings name.
    pub(super) fn new(side: &'a dyn Side, case: &Case, findings: &[&Finding]) -> Result<Self, CaseError> {
        let mut packages = BTreeMap::new();
        crate::review::each_record(case, |_, record| {
            let Body::Fact { fact, .. } = &record.body else { return };
            if fact.is_bulk() {
                return;
            }
            let Ok(value) = serde_json::to_value(fact) else { return };
            if column(&value, "packages_known").and_then(Value::as_bool) == Some(true)
                && let Some(path) = path_of(&value)
            {
                packages.insert(path, text(&value, "package"));
            }
        })?;
        let named =
            findings.iter().flat_map(|finding| &finding.subjects).filter_map(|subject| match subject {
                Subject::Path(path) => Some(path.clone()),
                _ => None,
            });
        Ok(Self { side, packages, lines: BTreeMap::new(), named: named.collect() })
    }

    /// The package that owns a path, as far as the case knows.
    pub(super) fn package(&self, path: &Text) -> Option<Text> {
        self.packages.get(path).cloned().flatten()
    }

    /// What follows from a fact that a finding stands on.
    pub(super) fn follow(
        &mut self,
        lines: &[ProcessLine],
        fact: &Value,
        finding: &Finding,
    ) -> Result<Vec<Thought>, SideError> {
        if let Some(thoughts) = super::machine::follow(self.side, lines, fact, finding)? {
            return Ok(thoughts);
        }
        match kind(fact) {
            "unit" => self.unit(fact, finding),
            "mount" => {
                let point = text(fact, "point")
                    .filter(|_| column(fact, "own").and_then(Value::as_bool) == Some(true));
                Ok(point
                    .map(|point| ("unmount", Target::Mount { point }, String::new()))
                    .into_iter()
                    .collect())
            }
            "login-script" => self.script(fact, finding),
            // What a process does is about the process.
            "process" | "process-variable" | "open-file" | "mapped-object" | "hidden-process" => {
                Ok(Vec::new())
            }
            _ => Ok(self.line(fact, finding)?.into_iter().collect()),
        }
    }

    /// A whole file or link.
    pub(super) fn whole(&self, path: &Text, finding: &Finding) -> Result<Option<Thought>, SideError> {
        let Some(real) = self.side.real(path)? else { return Ok(None) };
        let Some((seen, leads)) = self.side.stands(&real)? else { return Ok(None) };
        let of_alternatives = |path: &Text| path.as_bytes().starts_with(b"/etc/alternatives/");
        match leads {
            Some(leads) if of_alternatives(&real) => {
                let Some(to) = super::machine::alternative(self.side, &real, &leads)? else {
                    return Ok(None);
                };
                let sure = finding.certainty >= Certainty::Likely;
                let doubt = if sure { "" } else { "someone may have chosen it on purpose" };
                let target = Target::Link { path: real, to, seen: Some(seen) };
                return Ok(Some(("set-link", target, doubt.to_owned())));
            }
            // A name that the alternatives make leads through their own folder; there it is put right.
            Some(leads) if of_alternatives(&leads) && !of_alternatives(path) => {
                return self.whole(&leads, finding);
            }
            _ => {}
        }
        let bytes = real.as_bytes();
        let of_kernel = [&b"/proc/"[..], b"/sys/", b"/dev/"].iter().any(|start| bytes.starts_with(start));
        if of_kernel && !bytes.starts_with(b"/dev/shm/") {
            return Ok(None);
        }
        let doubt = match self.packages.get(path).or_else(|| self.packages.get(&real)) {
            Some(Some(package)) => {
                format!("it belongs to the package {package}; restore it from there instead")
            }
            Some(None) => String::new(),
            None if finding.certainty >= Certainty::Likely => String::new(),
            None => "it is not known whether a package owns it".to_owned(),
        };
        let doubt = if doubt.is_empty() && is_setting(bytes) {
            "it is a setting of the system; read it first".to_owned()
        } else if doubt.is_empty() && finding.certainty < Certainty::Likely && !self.loose(bytes) {
            "calma is not sure enough that it is not yours".to_owned()
        } else {
            doubt
        };
        let action = if is_managers(bytes) { "unhook-unit" } else { "quarantine" };
        Ok(Some((action, Target::File { path: real, seen: Some(seen) }, doubt)))
    }

    /// Whether a path lies where programs of a system do not.
    fn loose(&self, path: &[u8]) -> bool {
        [&b"/tmp/"[..], b"/var/tmp/", b"/dev/shm/", b"/var/www/", b"/run/"]
            .iter()
            .any(|start| path.starts_with(start))
    }

    /// A unit with what enables it and what starts it.
    fn unit(&self, fact: &Value, finding: &Finding) -> Result<Vec<Thought>, SideError> {
        let Some(path) = path_of(fact) else { return Ok(Vec::new()) };
        let mut thoughts: Vec<Thought> = self.whole(&path, finding)?.into_iter().collect();
        let name = path.file_name().to_vec();
        let stem = name.rsplitn(2, |b| *b == b'.').last().unwrap_or_default().to_vec();
        let folder = calma_host::parent(path.as_bytes());
        // Timers, sockets and paths of the same name start it; links in .wants and .requires enable them.
        let starters: Vec<Vec<u8>> = [&b".timer"[..], b".socket", b".path"]
            .iter()
            .map(|ending| [stem.as_slice(), ending].concat())
            .filter(|starter| *starter != name)
            .collect();
        for starter in &starters {
            let beside: Text = calma_host::join(folder, starter).into();
            thoughts.extend(self.whole(&beside, finding)?);
        }
        for beside in self.side.names(&folder.into())? {
            let enabling = beside.as_bytes();
            if enabling.ends_with(b".wants") || enabling.ends_with(b".requires") {
                for unit in starters.iter().chain([&name]) {
                    let link: Text = calma_host::join(&calma_host::join(folder, enabling), unit).into();
                    thoughts.extend(self.whole(&link, finding)?);
                }
            }
        }
        Ok(thoughts)
    }

    /// The line that a fact names by its number.
    fn line(&mut self, fact: &Value, finding: &Finding) -> Result<Option<Thought>, SideError> {
        let Some(path) = path_of(fact) else { return Ok(None) };
        let Some(number) = column(fact, "line").and_then(Value::as_u64).filter(|number| *number > 0) else {
            return self.whole(&path, finding);
        };
        let Some(real) = self.side.real(&path)? else { return Ok(None) };
        let Some(content) = self.side.read(&real)? else { return Ok(None) };
        let line = usize::try_from(number - 1)
            .ok()
            .and_then(|index| content.as_bytes().split(|b| *b == b'\n').nth(index));
        match line {
            Some(line) => self.without(&path, &real, content.as_bytes(), &[strip(line)], finding),
            None => Ok(None),
        }
    }

    /// The lines of a login script that name what findings name.
    fn script(&mut self, fact: &Value, finding: &Finding) -> Result<Vec<Thought>, SideError> {
        let Some(path) = path_of(fact) else { return Ok(Vec::new()) };
        let Some(real) = self.side.real(&path)? else { return Ok(Vec::new()) };
        let Some(content) = self.side.read(&real)? else { return Ok(Vec::new()) };
        let names = |line: &&[u8]| {
            self.named.iter().any(|named| {
                let named = named.as_bytes();
                named != path.as_bytes()
                    && named.len() > 3
                    && line.windows(named.len()).any(|part| part == named)
            })
        };
        let lines: Vec<&[u8]> = content.as_bytes().split(|b| *b == b'\n').map(strip).filter(names).collect();
        if lines.is_empty() {
            let doubt = "calma can not tell which line of it is meant".to_owned();
            let whole = self.whole(&path, finding)?;
            return Ok(whole.map(|(action, target, _)| (action, target, doubt)).into_iter().collect());
        }
        Ok(self.without(&path, &real, content.as_bytes(), &lines, finding)?.into_iter().collect())
    }

    /// A line out of a file, or the file where nothing of weight is left without the lines that are to go.
    fn without(
        &mut self,
        path: &Text,
        real: &Text,
        bytes: &[u8],
        lines: &[&[u8]],
        finding: &Finding,
    ) -> Result<Option<Thought>, SideError> {
        let gone = self.lines.entry(real.clone()).or_default();
        gone.extend(lines.iter().map(|line| Text::from(*line)));
        let left = bytes
            .split(|b| *b == b'\n')
            .map(strip)
            .filter(|line| !gone.contains(&Text::from(*line)))
            .any(|line| !is_idle(line));
        if !left && self.package(path).is_none() && !is_setting(real.as_bytes()) {
            return self.whole(path, finding);
        }
        let (Some(seen), Some(line)) = (self.side.seen(real)?, lines.first()) else { return Ok(None) };
        let (line, path) = (Text::from(*line), real.clone());
        let sure = finding.certainty >= Certainty::Likely || finding.severity >= calma_record::Severity::High;
        let doubt = if sure { "" } else { "someone may have written it on purpose" };
        let target = Target::Line { path, line, instead: None, seen: Some(seen) };
        Ok(Some(("edit-line", target, doubt.to_owned())))
    }
}

/// Whether a file is one of a service manager, the system's or a user's (systemd.unit(5)).
fn is_managers(path: &[u8]) -> bool {
    MANAGER.iter().any(|start| path.starts_with(start))
        || path.windows(14).any(|part| part == b"/systemd/user/")
}

fn strip(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Whether a line does nothing by itself: blank, a comment, or a variable for the lines behind it.
fn is_idle(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let name = line.split(|b| *b == b'=').next().unwrap_or_default().trim_ascii();
    let variable =
        line.contains(&b'=') && !name.is_empty() && name.iter().all(|b| b.is_ascii_uppercase() || *b == b'_');
    line.is_empty() || line.starts_with(b"#") || variable
}

/// Whether a path is a setting that every system has: such a file is never taken away whole by itself.
fn is_setting(path: &[u8]) -> bool {
    let Some(rest) = path.strip_prefix(b"/etc/") else { return false };
    let folder = rest.get(..rest.iter().rposition(|b| *b == b'/').unwrap_or(0)).unwrap_or_default();
    // Drop-in folders hold single files that belong to one thing each.
    let single = folder.ends_with(b".d")
        || folder.starts_with(b"systemd")
        || folder.starts_with(b"cron.")
        || rest == b"ld.so.preload";
    !single
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_line_does() {
        for line in ["", "  ", "# x", "PATH=/bin:/sbin", "MAILTO=\"\""] {
            assert!(is_idle(line.as_bytes()), "{line}");
        }
        for line in ["* * * * * root x", "x=1", "curl x | sh", "export A=1"] {
            assert!(!is_idle(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn settings_of_the_system_are_not_single_files() {
        for path in ["/etc/passwd", "/etc/ssh/sshd_config", "/etc/pam.d/../x", "/etc/crontab"] {
            assert!(is_setting(path.as_bytes()) || path.contains(".."), "{path}");
        }
        for path in [
            "/etc/cron.d/x",
            "/etc/systemd/system/x.service",
            "/etc/ld.so.preload",
            "/etc/profile.d/x.sh",
            "/tmp/x",
        ] {
            assert!(!is_setting(path.as_bytes()), "{path}");
        }
    }
}
