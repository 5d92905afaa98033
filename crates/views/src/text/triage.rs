//! The screen after a look at one host.

use super::layout::{Style, counted, spread, subject, wrap};
use crate::Page;
use calma_record::{Severity, Story};
use std::fmt::Write as _;

/// At most this many of the things a story is about.
const NAMED: usize = 6;
/// At most this many stories on the first screen; the rest is a line.
const SHOWN: usize = 7;

/// The screen after a look at one host: what is, what matters, what is not known, one next step.
pub fn triage(page: &Page, style: Style) -> String {
    let mut out = String::new();
    let changed =
        if page.run.target == "live" { "nothing on it was changed" } else { "nothing in it was changed" };
    out.push('\n');
    out.push_str(&wrap("  ", &format!("Looked at {} for {:.1} s; {changed}.", page.host, page.seconds)));
    let counts: Vec<String> =
        page.counts.iter().map(|(count, what)| format!("{} {what}", grouped(*count))).collect();
    if !counts.is_empty() {
        out.push_str(&wrap("  ", &counts.join(" · ")));
    }
    for notice in &page.notices {
        out.push('\n');
        out.push_str(&wrap("  ", notice));
    }
    if page.kernel_in_doubt {
        let doubt = "This host's kernel may be lying: what a running system shows can then not be relied on. Start the \
                     server from a live distribution, or attach its disk to another machine, and look again with \
                     calma triage --root DIR.";
        out.push('\n');
        out.push_str(&wrap("  ", doubt));
    }
    out.push('\n');
    if page.stories.is_empty() {
        nothing(page, &mut out);
    } else {
        stories(page, style, &mut out);
    }
    small(page, &mut out);
    unseen(page, &mut out);
    if let Some(line) = super::secrets::summary(page) {
        out.push_str(&wrap("  What this server could open elsewhere: ", &line));
    }
    case(page, &mut out);
    out.push('\n');
    out.push_str(&next(page, style));
    out
}

fn nothing(page: &Page, out: &mut String) {
    let from = match (page.run.target.as_str(), page.run.uid) {
        ("live", 0) => "in what can be seen from a running system as root",
        ("live", _) => "in what an ordinary user can see from a running system",
        _ => "in what the files looked at can show",
    };
    out.push_str(&wrap("  ", &format!("No sign of compromise {from}.")));
    out.push_str(&wrap(
        "  ",
        "Not the same as clean: a lying kernel, memory, and file contents were not checked.",
    ));
}

fn stories(page: &Page, style: Style, out: &mut String) {
    let title = counted(page.stories.len(), "story needs you", "stories need you");
    let head = spread(&format!("  {title}"), "what to read");
    out.push_str(&head.replacen(&title, &style.strong(&title), 1));
    let _ = writeln!(out, "  {}", "─".repeat(78));
    for story in page.stories.iter().take(SHOWN) {
        one(page, story, style, out);
    }
    if let Some(more) = page.stories.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        out.push_str(&wrap("     ", &format!("and {more} more, less bad: calma show {} and on", SHOWN + 1)));
    }
}

fn one(page: &Page, story: &Story, style: Style, out: &mut String) {
    let title = wrap(&format!(" {:>2}  ", story.number), &story.title);
    let shown = title.strip_prefix(&format!(" {:>2}  ", story.number)).unwrap_or(&title);
    let _ = write!(out, " {:>2}  {}", story.number, style.severity(story.severity, shown));
    let members: Vec<_> = story.findings.iter().filter_map(|index| page.findings.get(*index)).collect();
    let mut named: Vec<String> = Vec::new();
    for name in members.iter().flat_map(|finding| &finding.subjects).map(subject) {
        if !named.contains(&name) && !story.title.contains(&name) && named.len() < NAMED {
            named.push(name);
        }
    }
    if !named.is_empty() {
        out.push_str(&wrap("     ", &named.join(" · ")));
    }
    if let Some(worst) = members.first() {
        out.push_str(&wrap("     Why it matters: ", &worst.why));
        if !worst.innocent.is_empty() {
            out.push_str(&wrap("     Innocent if: ", &format!("{}.", worst.innocent.trim_end_matches('.'))));
        }
    }
    let more = members.len().saturating_sub(1);
    let more =
        if more > 0 { format!("{} more; ", counted(more, "finding", "findings")) } else { String::new() };
    let line = spread(
        &format!("     {}, {}", story.severity, story.certainty),
        &format!("{more}calma show {}", story.number),
    );
    out.push_str(&line);
}

fn small(page: &Page, out: &mut String) {
    let small = page.findings.iter().filter(|f| f.severity < Severity::Medium && f.story == 0).count();
    if small > 0 {
        out.push('\n');
        let what = counted(small, "small thing", "small things");
        out.push_str(&wrap("  ", &format!("{what}, probably yours: calma show --low")));
    }
}

fn unseen(page: &Page, out: &mut String) {
    let mut gaps: Vec<_> = page.gaps.iter().collect();
    gaps.sort_by_key(|gap| (!gap.important, std::cmp::Reverse(gap.count)));
    if gaps.is_empty() {
        return;
    }
    let named: Vec<String> = gaps.iter().take(3).map(|gap| format!("{} ({})", gap.what, gap.why)).collect();
    let more = gaps.len().saturating_sub(3);
    let rest = if more > 0 { format!("; {more} more: calma show gaps") } else { String::new() };
    out.push('\n');
    out.push_str(&wrap("  ", &format!("Not seen: {}{rest}.", named.join("; "))));
}

fn case(page: &Page, out: &mut String) {
    out.push('\n');
    out.push_str(&wrap("  Case: ", &page.case));
    if let Some(report) = &page.report {
        out.push_str(&wrap("  Report: ", report));
    }
    if let Some(phrase) = &page.phrase {
        out.push_str(&wrap("  Write this down, it proves the case later: ", phrase));
    }
}

fn next(page: &Page, style: Style) -> String {
    let (what, how) = if !page.complete() {
        ("finish the look:", format!("{} triage --case {} --resume", page.command, page.case))
    } else if let Some(first) = page.stories.first() {
        let read = if page.report.is_some() {
            "read the first story, or open the report in a browser:"
        } else {
            "read the first story:"
        };
        (read, format!("calma show {} --case {}", first.number, page.case))
    } else if page.run.target == "live" && page.run.uid != 0 {
        ("look again with root's rights, which see more:", format!("{} triage", sudo(&page.command)))
    } else {
        (
            "keep the case where the server can not reach it:",
            format!("calma case export --case {}", page.case),
        )
    };
    let line = wrap("  ", &format!("Next: {what}   {how}"));
    line.replacen("Next:", &style.strong("Next:"), 1)
}

fn sudo(command: &str) -> String {
    if command == "calma" { "sudo calma".to_owned() } else { format!("{command} --sudo") }
}

/// 1,942
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
