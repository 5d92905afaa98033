//! Ctrl-C as a flag, so that a run ends in order.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();

extern "C" fn raise(_signal: libc::c_int) {
    if let Some(flag) = FLAG.get() {
        flag.store(true, Ordering::Relaxed);
    }
}

/// The flag that [`on_interrupt`] raises, without taking the signals over yet: until then they end the process.
pub fn on_interrupt_later() -> Arc<AtomicBool> {
    Arc::clone(FLAG.get_or_init(Arc::default))
}

/// From now on SIGINT, SIGTERM and SIGHUP set the returned flag instead of ending the process. A second SIGINT ends it.
pub fn on_interrupt() -> Arc<AtomicBool> {
    let flag = FLAG.get_or_init(Arc::default);
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: `action` is fully initialised (all zero is a valid sigaction: no flags, an empty mask), the handler has
        // the signature sigaction(2) asks for, and it only loads an initialised OnceLock and stores an atomic, both of
        // which are async-signal-safe.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = raise as extern "C" fn(libc::c_int) as usize;
            action.sa_flags = libc::SA_RESTART | if signal == libc::SIGINT { libc::SA_RESETHAND } else { 0 };
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
    }
    Arc::clone(flag)
}
