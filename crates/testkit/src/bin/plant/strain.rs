//! What strains a walk of file systems: masses, depths, links, holes, file systems that err or never answer.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::process::Command;

/// Runs a command, writes how much memory it and what it started held at most (KiB), and passes its code on.
pub(super) fn measure(to: &str, command: &[&str]) {
    let status = Command::new(command[0]).args(&command[1..]).status().unwrap();
    // SAFETY: struct rusage is plain numbers, valid when zero, and written by the call.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage);
        usage
    };
    fs::write(to, usage.ru_maxrss.to_string()).unwrap();
    std::process::exit(status.code().unwrap_or(100));
}

/// Makes files of one kind in a folder: `many:NUMBER`, `deep:NUMBER`, `links:NUMBER`, `hole:BYTES`, `names`.
pub(super) fn files(kind: &str, folder: &str) {
    fs::create_dir_all(folder).unwrap();
    std::env::set_current_dir(folder).unwrap();
    let (kind, number) = kind.split_once(':').unwrap_or((kind, "0"));
    let number: u64 = number.parse().unwrap();
    match kind {
        "many" => (0..number).for_each(|n| drop(fs::File::create(format!("f{n}")).unwrap())),
        "deep" => {
            for _ in 0..number {
                fs::create_dir("d").unwrap();
                std::env::set_current_dir("d").unwrap();
            }
            fs::write("end", "end\n").unwrap();
        }
        "links" => {
            fs::write("first", "#!/bin/sh\nexit 0\n").unwrap();
            (0..number).for_each(|n| fs::hard_link("first", format!("l{n}")).unwrap());
        }
        "hole" => fs::File::create("hole").unwrap().set_len(number).unwrap(),
        _ => {
            for name in [
                "a\nb",
                "\x1b]0;x\x07",
                "<img src=x onerror=alert(1)>",
                "=1+1",
                "\u{202e}gpj",
                " ",
                "-rf",
                "\\",
                "%n%s",
            ] {
                fs::write(name, "#!/bin/sh\nexit 0\n").unwrap();
                fs::create_dir(format!("{name}.d")).unwrap();
            }
            use std::os::unix::ffi::OsStrExt as _;
            fs::write(std::ffi::OsStr::from_bytes(b"\xff\xfe"), "x").unwrap();
        }
    }
}

/// Mounts a file system on a folder that errs (`err`) or never answers (`hang`) after its first greeting.
pub(super) fn fuse(kind: &str, folder: &str) {
    const INIT: u32 = 26;
    const FORGET: u32 = 2;
    let mut device = fs::OpenOptions::new().read(true).write(true).open("/dev/fuse").unwrap();
    fs::create_dir_all(folder).unwrap();
    let options = format!("fd={},rootmode=40000,user_id=0,group_id=0,allow_other\0", device.as_raw_fd());
    let folder = std::ffi::CString::new(folder).unwrap();
    // SAFETY: all strings end with zero and outlive the call.
    let result = unsafe {
        libc::mount(c"store".as_ptr(), folder.as_ptr(), c"fuse".as_ptr(), 0, options.as_ptr().cast())
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    let mut request = vec![0_u8; 1 << 18];
    loop {
        let read = device.read(&mut request).unwrap();
        let word = |at: usize| u32::from_le_bytes(request[at..at + 4].try_into().unwrap());
        let (operation, unique) = (word(4), &request[8..16]);
        assert!(read >= 40);
        let (error, body): (i32, Vec<u8>) = match operation {
            // struct fuse_init_out: version 7.31, read ahead, flags, limits.
            INIT => {
                let words: [u32; 16] = [7, 31, 65536, 0, 0x0010_000c, 4096, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
                (0, words.iter().flat_map(|word| word.to_le_bytes()).collect())
            }
            FORGET => continue,
            _ if kind == "hang" => continue,
            _ => (-libc::EIO, Vec::new()),
        };
        let mut answer = ((16 + body.len()) as u32).to_le_bytes().to_vec();
        answer.extend(error.to_le_bytes());
        answer.extend(unique);
        answer.extend(body);
        device.write_all(&answer).unwrap();
    }
}
