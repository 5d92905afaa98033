//! Who is logged in: utmp(5), and the session files of systemd-logind.

use crate::{Format, lines};
use calma_record::{Text, Timestamp, kinds::Session};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "sessions",
    doc: "Sessions in utmp and in systemd-logind's files.",
    manual: "utmp(5) (32-bit times, 384 bytes a record); systemd-logind.service(8)",
    samples: &[
        b"\x07\0\0\0\x29\0\0\0pts/0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0ts/0ann\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x00192.0.2.7\0\0\0\0\0\0\0",
        b"# This is private data. Do not parse.\nUID=1000\nUSER=ann\nACTIVE=1\nSTATE=active\nREMOTE=1\nTYPE=tty\nCLASS=user\nTTY=pts/0\nSERVICE=sshd\nREMOTE_HOST=192.0.2.7\nLEADER=41\nREALTIME=1767323045000000\n",
    ],
    feed: |bytes| {
        utmp(bytes);
        logind(bytes);
    },
};

/// Length of a record of Linux's C libraries on 64-bit machines with 32-bit times (utmp(5)).
const RECORD: usize = 384;
/// No more records than this are read.
const MOST: usize = 100_000;

/// The records that say something. What comes after the last whole record is passed over.
pub fn utmp(bytes: &[u8]) -> Vec<Session> {
    bytes.chunks_exact(RECORD).take(MOST).filter_map(record).collect()
}

fn record(bytes: &[u8]) -> Option<Session> {
    let number = |at: usize| {
        let field = bytes.get(at..at.checked_add(4)?)?;
        Some(i32::from_ne_bytes(field.try_into().ok()?))
    };
    let text = |at: usize, length: usize| -> Text {
        let field = bytes.get(at..at + length).unwrap_or_default();
        field.split(|b| *b == 0).next().unwrap_or_default().into()
    };
    if bytes.iter().all(|b| *b == 0) {
        return None;
    }
    // The values of ut_type.
    let what = match number(0)? & 0xffff {
        0 => "empty",
        1 => "run-level",
        2 => "boot",
        3 | 4 => "clock",
        5 => "init",
        6 => "login",
        7 => "user",
        8 => "dead",
        _ => "unknown",
    };
    let seconds = number(340)?;
    let fraction = u32::try_from(number(344)?).ok().filter(|micro| *micro < 1_000_000).unwrap_or(0);
    Some(Session {
        what: what.to_owned(),
        user: text(44, 32),
        terminal: text(8, 32),
        remote: text(76, 256),
        address: address(bytes.get(348..364)?),
        pid: u32::try_from(number(4)?).ok().filter(|pid| *pid > 0),
        since: (seconds != 0).then(|| Timestamp::new(i64::from(seconds), fraction.saturating_mul(1000))),
        ..Session::default()
    })
}

/// An address in network order; of IPv4 only the first four bytes are set.
fn address(bytes: &[u8]) -> Option<String> {
    let all: [u8; 16] = bytes.try_into().ok()?;
    let (first, rest) = all.split_first_chunk::<4>()?;
    if *first == [0; 4] && rest.iter().all(|b| *b == 0) {
        None
    } else if rest.iter().all(|b| *b == 0) {
        Some(Ipv4Addr::from(*first).to_string())
    } else {
        Some(Ipv6Addr::from(all).to_canonical().to_string())
    }
}

/// A session of systemd-logind, without path and name; `None` if the text says neither user nor leader.
pub fn logind(bytes: &[u8]) -> Option<Session> {
    let mut row = Session::default();
    for (_, line) in lines::meaningful(bytes).take(200) {
        let Some((name, value)) = lines::cut(line, b'=') else { continue };
        let value = value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).unwrap_or(value);
        match name {
            b"UID" => row.uid = lines::decimal(value),
            b"USER" => row.user = value.into(),
            b"CLASS" => row.what = Text::from(value).to_string(),
            b"STATE" => row.state = value.into(),
            b"TTY" => row.terminal = value.into(),
            b"SERVICE" => row.service = value.into(),
            b"REMOTE_HOST" => row.remote = value.into(),
            b"LEADER" => row.pid = lines::decimal(value),
            b"REALTIME" => {
                let micro: Option<i64> = lines::decimal(value);
                row.since = micro.and_then(|micro| micro.checked_mul(1000)).map(Timestamp::from_nanoseconds);
            }
            _ => {}
        }
    }
    (!row.user.is_empty() || row.uid.is_some() || row.pid.is_some()).then_some(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_both_lists_are_understood() {
        let mut bytes = FORMAT.samples[0].to_vec();
        bytes.resize(RECORD, 0);
        bytes[340..344].copy_from_slice(&1_767_323_045_i32.to_ne_bytes());
        bytes[348..352].copy_from_slice(&[192, 0, 2, 7]);
        let good = bytes.clone();
        bytes.extend([0; RECORD]);
        bytes.extend([0xff; RECORD]);
        bytes.extend(&good);
        bytes.extend([1; 100]);
        let all = utmp(&bytes);
        assert_eq!(all.len(), 3);
        for row in [&all[0], &all[2]] {
            assert_eq!(
                (row.what.as_str(), &row.user, &row.terminal),
                ("user", &"ann".into(), &"pts/0".into())
            );
            assert_eq!((row.pid, &row.remote), (Some(41), &"192.0.2.7".into()));
            assert_eq!(row.address.as_deref(), Some("192.0.2.7"));
            assert_eq!(row.since.map(|since| since.seconds()), Some(1_767_323_045));
        }
        let row = logind(FORMAT.samples[1]).unwrap();
        assert_eq!((row.uid, row.pid, row.service), (Some(1000), Some(41), "sshd".into()));
        assert_eq!(row.since.map(|since| since.seconds()), Some(1_767_323_045));
        assert_eq!(logind(b"x"), None);
    }
}
