//! A case of any number of facts, made without a host: for what has to stay usable when there is a lot.

use calma_case::{About, Case, PlaceKind};
use calma_record::frame::{Decoder, Encoder, FrameKind, write_record};
use calma_record::{Body, Digest, End, Fact, Record, Run, Source, Timestamp, View, kinds};
use std::path::Path;

/// Makes a sealed case with this many facts, of the kinds and lengths that a busy server has.
pub fn big_case(folder: &Path, facts: u64) {
    let case = Case::create(folder, &About::new("0.1.0", "busy", PlaceKind::Named)).unwrap();
    let mut writer = case.begin("collection").unwrap();
    let (mut encoder, mut stream, mut lines) = (Encoder::default(), Vec::new(), Vec::new());
    let run = Run {
        schema: 1,
        version: "0.1.0".to_owned(),
        host: "busy".into(),
        target: "live".to_owned(),
        started: Timestamp::new(1_795_489_042, 0),
        ..Run::default()
    };
    let schemas = kinds::schemas().into_iter().map(|schema| Body::Schema(Box::new(schema)));
    let rows = (0..facts).map(|number| {
        let (from, fact) = row(u32::try_from(number).unwrap());
        Body::Fact { from, fact: Box::new(fact) }
    });
    let end = Body::End(End { complete: true, took_ms: 4_000, facts, ..End::default() });
    let bodies = std::iter::once(Body::Run(Box::new(run))).chain(schemas).chain(rows).chain([end]);
    for (seq, body) in (0..).zip(bodies) {
        write_record(&Record { seq, body }, &mut lines).unwrap();
        if lines.len() > 900_000 {
            stream.extend(encoder.encode(FrameKind::Records, &lines).unwrap());
            lines.clear();
        }
    }
    stream.extend(encoder.encode(FrameKind::Records, &lines).unwrap());
    let mut decoder = Decoder::new(stream.as_slice());
    while let Some(frame) = decoder.next_frame().unwrap() {
        writer.frame(&frame).unwrap();
    }
    writer.seal().unwrap();
}

/// Of ten facts, six are files, two are sockets, one is a process and one a unit.
fn row(number: u32) -> (Source, Fact) {
    let at = Timestamp::new(1_780_000_000 + i64::from(number) * 97, number);
    match number % 10 {
        0..6 => {
            let path = format!(
                "/usr/share/application-{}/module_{number}/resources/template-{number}.conf",
                number % 411
            );
            let file = kinds::File {
                path: path.as_str().into(),
                what: "file".to_owned(),
                mode: 0o644,
                size: u64::from(number) * 31,
                modified: at,
                changed: at,
                born: Some(at),
                inode: u64::from(number),
                device: 65_024,
                package: Some(format!("application-{}", number % 411).as_str().into()),
                packages_known: true,
                digest: Some(Digest::of(path.as_bytes())),
                ..kinds::File::default()
            };
            (Source::file(path.as_str()), file.into())
        }
        6 | 7 => {
            let socket = kinds::Socket {
                namespace: 4_026_531_840,
                first_namespace: true,
                family: "inet".to_owned(),
                protocol: "tcp".to_owned(),
                local: "192.0.2.10".into(),
                local_port: 443,
                remote: format!("198.51.100.{}", number % 250).as_str().into(),
                remote_port: 1_024 + number % 60_000,
                state: "established".to_owned(),
                inode: u64::from(number),
                pids: vec![number],
                holders: 1,
                holders_known: true,
                program: Some("/usr/sbin/nginx".into()),
                name: "nginx".into(),
                ..kinds::Socket::default()
            };
            (Source::kernel(View::Netlink, "sock_diag"), socket.into())
        }
        8 => {
            let process = kinds::Process {
                pid: number,
                parent: if number < 1_000 { 1 } else { number / 1_000 * 10 + 8 },
                start_ticks: u64::from(number),
                started: at,
                name: "worker".into(),
                arguments: vec!["/usr/sbin/worker".into(), format!("--shard={number}").as_str().into()],
                program: Some("/usr/sbin/worker".into()),
                uids: vec![33; 4],
                gids: vec![33; 4],
                cgroup: "/system.slice/worker.service".into(),
                has_memory: true,
                same_files: true,
                ..kinds::Process::default()
            };
            (Source::proc(format!("/proc/{number}/stat")), process.into())
        }
        _ => {
            let path = format!("/usr/lib/systemd/system/task-{number}.service");
            let unit = kinds::Unit {
                name: format!("task-{number}.service").as_str().into(),
                path: path.as_str().into(),
                what: "unit".to_owned(),
                commands: vec![format!("ExecStart=/usr/bin/task --number {number}").as_str().into()],
                as_root: true,
                package: Some("tasks".into()),
                packages_known: true,
                ..kinds::Unit::default()
            };
            (Source::file(path.as_str()), unit.into())
        }
    }
}
