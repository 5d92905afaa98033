//! Tells the linker to pack the places that the program's loading adjusts (DT_RELR): a twentieth of the program otherwise.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // musl adjusts them itself since 1.2.4 (ldso/dlstart.c), which is older than any Rust that builds this. A linker that does
    // not know the word passes over it with a warning.
    if std::env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "musl") {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
