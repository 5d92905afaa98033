//! A guest with Debian's own kernel in QEMU, for what this machine's kernel can not or must not show: BPF, modules.

use crate::bed::made;
use crate::binaries;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// One boot of the guest: it runs a script, leaves files in a shared folder, and switches itself off.
#[derive(Debug)]
pub struct Guest {
    share: PathBuf,
}

impl Guest {
    /// Boots, runs `script` (in `/run/share`, beside `calma` and `plant`), and waits for the end.
    pub fn run(script: &str) -> Self {
        Self::run_beside(script, &[])
    }

    /// The same with more files in the shared folder: name there, and path here.
    pub fn run_beside(script: &str, more: &[(&str, &Path)]) -> Self {
        Self::boot(script, more, "")
    }

    /// The same without a service manager: for what is about the kernel alone, in a third of the time.
    pub fn run_plain(script: &str, more: &[(&str, &Path)]) -> Self {
        Self::boot(script, more, " calma.plain")
    }

    fn boot(script: &str, more: &[(&str, &Path)], words: &str) -> Self {
        let files = made("guest");
        let share = std::env::temp_dir().join(format!("calma-guest-{}", std::process::id()));
        fs::create_dir_all(&share).expect("the temporary folder is writable");
        fs::copy(binaries::calma(), share.join("calma")).expect("calma is built");
        fs::copy(binaries::plant(), share.join("plant")).expect("the helper is built");
        for (name, path) in more {
            fs::copy(path, share.join(name)).expect("the file is there");
        }
        fs::write(share.join("go"), script).expect("the temporary folder is writable");
        let console = fs::File::create(share.join("console")).expect("the temporary folder is writable");
        let file = |name: &str| files.join(name).display().to_string();
        let mut qemu = Command::new(format!("qemu-system-{}", std::env::consts::ARCH))
            .args(["-accel", "tcg,thread=multi", "-M", "q35", "-cpu", "max", "-m", "1024", "-smp", "2"])
            .args([
                "-nographic",
                "-no-reboot",
                "-nodefaults",
                "-serial",
                "stdio",
                "-kernel",
                &file("vmlinuz"),
            ])
            .args(["-initrd", &file("initrd")])
            // Without udev's device the console's login would wait for 90 seconds.
            .args([
                "-append",
                &format!(
                    "console=ttyS0 panic=-1 quiet calma.guest systemd.mask=serial-getty@ttyS0.service{words}"
                ),
            ])
            .args(["-drive", &format!("file={},if=virtio,format=raw,snapshot=on", file("disk"))])
            .args(["-virtfs", &format!("local,path={},mount_tag=share,security_model=none", share.display())])
            .stdin(Stdio::null())
            .stdout(console.try_clone().expect("a file"))
            .stderr(console)
            .spawn()
            .expect("qemu is installed (scripts/setup --tests)");
        let guest = Self { share };
        let patience = if std::env::var_os("CALMA_SOAK").is_some() { 7200 } else { 600 };
        let until = Instant::now() + Duration::from_secs(patience);
        while matches!(qemu.try_wait(), Ok(None)) {
            if Instant::now() > until {
                let _ = qemu.kill();
                panic!("the guest did not end\n{}\n{}", guest.text("console"), guest.text("log"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        guest
    }

    /// A file that the script left, as bytes; empty when there is none.
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.share.join(name)).unwrap_or_default()
    }

    /// A file that the script left, as text.
    pub fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(&self.bytes(name)).into_owned()
    }

    /// The shared folder.
    pub fn share(&self) -> &Path {
        &self.share
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if std::env::var_os("CALMA_KEEP").is_none() {
            let _ = fs::remove_dir_all(&self.share);
        }
    }
}
