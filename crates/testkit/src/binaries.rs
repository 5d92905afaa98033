//! The built programs that tests run: calma itself and the harmless helper, both static.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The workspace's folder.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .and_then(Path::parent)
        .expect("crates/testkit is two folders down")
}

/// calma: `CALMA_BIN`, or built now.
pub fn calma() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| from_environment("CALMA_BIN").unwrap_or_else(|| build("calma-cli", "calma")))
}

/// The helper that plays an intruder's sleeping program: `CALMA_PLANT`, or built now.
pub fn plant() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        from_environment("CALMA_PLANT").unwrap_or_else(|| build("calma-testkit", "calma-plant"))
    })
}

fn from_environment(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}

/// The static target that this machine can build; `CALMA_TARGET` overrides.
pub fn target() -> String {
    std::env::var("CALMA_TARGET").unwrap_or_else(|_| format!("{}-unknown-linux-musl", std::env::consts::ARCH))
}

fn build(package: &str, binary: &str) -> PathBuf {
    let release = std::env::var_os("CALMA_DEBUG_BUILD").is_none();
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(workspace())
        .args(["build", "--locked", "--quiet", "-p", package, "--bin", binary, "--target"]);
    command.arg(target());
    if release {
        command.arg("--release");
    }
    if target().ends_with("-gnu") {
        command.env("RUSTFLAGS", "-C target-feature=+crt-static");
    }
    let status = command.status().expect("cargo runs");
    assert!(status.success(), "cargo could not build {binary}");
    let folder =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    folder.join(target()).join(if release { "release" } else { "debug" }).join(binary)
}
