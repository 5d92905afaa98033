//! A real browser without a window and without a network, to look at reports with.
//!
//! Chromium is driven over two pipes (`--remote-debugging-pipe`, Chrome DevTools Protocol): no port is opened. It runs in
//! a network namespace of its own, so that a page that asks for anything outside gets nothing.

use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running browser with one page.
#[derive(Debug)]
pub struct Browser {
    work: PathBuf,
    child: Child,
    to: File,
    from: File,
    buffer: Vec<u8>,
    number: u64,
    session: Option<String>,
    events: Vec<Value>,
}

impl Browser {
    /// Starts one; `work` is a folder of the caller's for its profile and pipes.
    pub fn start(work: &Path) -> Self {
        let work = work.join("browser");
        fs::create_dir_all(&work).unwrap();
        let (to, from) = (work.join("to"), work.join("from"));
        for pipe in [&to, &from] {
            assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
        }
        // The browser reads its commands from descriptor 3 and answers on 4.
        let script = "exec chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
                      --remote-debugging-pipe --user-data-dir=\"$1\" about:blank 3<\"$2\" 4>\"$3\"";
        let child = Command::new("unshare")
            .args(["--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script, "sh"])
            .args([&work.join("profile"), &to, &from])
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(work.join("log")).unwrap())
            .spawn()
            .expect("unshare runs");
        // Opening a pipe waits for its other end.
        let to = fs::OpenOptions::new().write(true).open(&to).unwrap();
        let from = File::open(&from).unwrap();
        let (buffer, events) = (Vec::new(), Vec::new());
        let mut browser = Self { work, child, to, from, buffer, number: 0, session: None, events };
        let target = browser.ask("Target.createTarget", json!({"url": "about:blank"}))["targetId"].clone();
        let attached = browser.ask("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            browser.ask(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    fn next(&mut self) -> Value {
        let until = Instant::now() + Duration::from_secs(120);
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == 0) {
                let message: Vec<u8> = self.buffer.drain(..=end).collect();
                return serde_json::from_slice(&message[..end]).unwrap();
            }
            let mut piece = vec![0; 1 << 16];
            let n = self.from.read(&mut piece).unwrap();
            let log = || fs::read_to_string(self.work.join("log")).unwrap_or_default();
            assert!(n > 0 && Instant::now() < until, "the browser has gone away:\n{}", log());
            self.buffer.extend_from_slice(&piece[..n]);
        }
    }

    /// Asks one thing of the protocol and waits for its answer.
    pub fn ask(&mut self, method: &str, parameters: Value) -> Value {
        self.number += 1;
        let mut message = json!({"id": self.number, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).unwrap();
        loop {
            let mut answer = self.next();
            if answer["id"] == self.number {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].take();
            }
            self.events.push(answer);
        }
    }

    /// Opens a file; seconds until it was loaded and its script had run.
    pub fn open(&mut self, file: &Path) -> f64 {
        let start = Instant::now();
        self.events.clear();
        self.ask("Page.navigate", json!({"url": format!("file://{}", file.display())}));
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.next();
            self.events.push(event);
        }
        // Two frames later it has been laid out and painted.
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))");
        start.elapsed().as_secs_f64()
    }

    /// The value of an expression on the page.
    pub fn run(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut answer = self.ask("Runtime.evaluate", asked);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].take()
    }

    /// Errors, refusals of the page's policy, dialogs and console lines since the page was opened.
    pub fn complaints(&mut self) -> Vec<String> {
        self.run("1");
        let told = [
            "Log.entryAdded",
            "Runtime.exceptionThrown",
            "Runtime.consoleAPICalled",
            "Page.javascriptDialogOpening",
        ];
        let events = self.events.iter().filter(|event| told.iter().any(|name| event["method"] == *name));
        events.map(Value::to_string).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The first process of its namespace takes all others with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
