//! Links, addresses and routes by rtnetlink(7), and the whole of them put back.

use super::super::links::Links;
use super::super::saved::{
    CLASSES, Class, Object, SavedNetwork, changes, depths, is_of_kernel, is_tentative, is_up, pinned,
    up_message,
};
use super::channel::{Channel, Failure};
use crate::netlink::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, messages};
use crate::{HostError, Namespace, Protocol};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Message types (`<linux/rtnetlink.h>`).
const NEW_LINK: u16 = 16;
const NEW_ADDRESS: u16 = 20;
const NEW_ROUTE: u16 = 24;
const NEW_NEIGHBOUR: u16 = 28;
/// Longest wait for the kernel to have checked IPv6 addresses (RFC 4862: one second, and a random delay of one more).
const CHECKED: Duration = Duration::from_secs(5);
const AF_INET6: u8 = 10;

/// Links, addresses and routes of a namespace.
#[derive(Debug)]
pub(super) struct LiveLinks {
    channel: Channel,
}

impl LiveLinks {
    pub(super) fn open(namespace: &Namespace) -> Result<Self, HostError> {
        Ok(Self { channel: Channel::open(namespace, Protocol::ROUTE)? })
    }

    fn dump(&mut self, class: &Class, into: &mut Vec<u8>) -> Result<(), HostError> {
        for question in (class.questions)() {
            match self.channel.dump(class.new + 2, &question) {
                Ok(dump) => {
                    // A family that the kernel does not have is answered by all others.
                    let asked = question.first().copied().unwrap_or(0);
                    let ours = |body: &[u8]| asked == 0 || body.first() == Some(&asked);
                    for message in messages(&dump).flatten().filter(|message| ours(message.body)) {
                        into.extend(message.whole);
                        into.resize(into.len().next_multiple_of(4), 0);
                    }
                }
                Err(failure) if matches!(failure.errno, Errno::OPNOTSUPP | Errno::AFNOSUPPORT) => {}
                Err(failure) => return Err(failure.about("read", format!("{}s", class.name))),
            }
        }
        Ok(())
    }

    /// Brings links back to what was set of them, and up or down; lower ones first.
    fn links(&mut self, saved: &SavedNetwork, trouble: &mut Vec<String>) -> Result<(), HostError> {
        let Some(class) = CLASSES.first() else { return Ok(()) };
        let now = self.save()?;
        let mut now: BTreeMap<Vec<u8>, Object> =
            now.objects(class).into_iter().map(|link| (link.key.clone(), link)).collect();
        let mut links = saved.objects(class);
        let depths = depths(&links);
        links.sort_by_key(|link| depths.get(&index(link)).copied().unwrap_or(0));
        for was in &links {
            let Some(is) = now.remove(&was.key) else {
                trouble.push(format!("{was}: it is gone"));
                continue;
            };
            for body in changes(was, &is) {
                self.tell(was, NEW_LINK, 0, &body, trouble);
            }
            if is_up(was) && !is_up(&is) {
                self.tell(was, NEW_LINK, 0, &up_message(index(was), true), trouble);
            }
        }
        // Links that came up with a lower one, and were down.
        let now = self.save()?;
        let up: Vec<Vec<u8>> = now.objects(class).into_iter().filter(is_up).map(|link| link.key).collect();
        for was in links.iter().rev().filter(|link| !is_up(link) && up.contains(&link.key)) {
            self.tell(was, NEW_LINK, 0, &up_message(index(was), false), trouble);
        }
        Ok(())
    }

    /// One order about an object; a refusal becomes trouble.
    fn tell(&mut self, object: &Object, kind: u16, flags: u16, body: &[u8], trouble: &mut Vec<String>) {
        if let Err(failure) = self.channel.order(kind, flags, body) {
            trouble.push(failure.about("restore", object).to_string());
        }
    }

    /// One round over everything that is missing: how much was brought back, and what was refused.
    fn round(
        &mut self,
        saved: &SavedNetwork,
        now: &SavedNetwork,
        later: u64,
    ) -> (usize, Vec<(Object, Failure)>) {
        let (mut made, mut refused) = (0, Vec::new());
        for class in CLASSES.iter().skip(1) {
            let there = now.objects(class);
            let keys: BTreeSet<&[u8]> = there.iter().map(|is| is.key.as_slice()).collect();
            // Equal ones are counted: two of them may be wanted.
            let mut same = BTreeMap::<&[u8], usize>::new();
            for is in &there {
                *same.entry(is.lasting.as_slice()).or_default() += 1;
            }
            for was in saved.objects(class) {
                if let Some(left) = same.get_mut(was.lasting.as_slice()).filter(|left| **left > 0) {
                    *left -= 1;
                    continue;
                }
                // One that would have ended meanwhile, or that the kernel alone can make, is told of in the end.
                let Some(body) = was.remake(later) else { continue };
                let differs = keys.contains(was.key.as_slice());
                let flags = match class.new {
                    NEW_NEIGHBOUR => NLM_F_CREATE | NLM_F_REPLACE,
                    NEW_ADDRESS if differs => NLM_F_REPLACE,
                    // Without NLM_F_EXCL IPv4 routes of equal destination and metric replace nothing, and are kept
                    // beside one another in their order with NLM_F_APPEND; IPv6 takes that word for another path.
                    NEW_ROUTE if was.body.first() == Some(&AF_INET6) => NLM_F_CREATE,
                    NEW_ROUTE => NLM_F_CREATE | crate::netlink::NLM_F_APPEND,
                    _ => NLM_F_CREATE | NLM_F_EXCL,
                };
                match self.channel.order(class.new, flags, &body) {
                    Ok(()) => made += 1,
                    Err(failure) if failure.errno == Errno::EXIST => {}
                    Err(failure) => refused.push((was, failure)),
                }
            }
        }
        (made, refused)
    }

    /// Removes routes and addresses that the kernel made of itself and that were not there.
    fn tidy(&mut self, saved: &SavedNetwork, now: &SavedNetwork, trouble: &mut Vec<String>) {
        for class in CLASSES.iter().filter(|class| matches!(class.new, NEW_ADDRESS | NEW_ROUTE)) {
            let before: BTreeSet<Vec<u8>> = saved.objects(class).into_iter().map(|was| was.key).collect();
            for new in now.objects(class) {
                let made = match class.new {
                    NEW_ROUTE => is_of_kernel(&new.body),
                    // fe80::/10 with link scope (253, RT_SCOPE_LINK).
                    _ => new.body.first() == Some(&AF_INET6) && new.body.get(3) == Some(&253),
                };
                if made && !before.contains(&new.key) {
                    self.tell(&new, class.new + 1, 0, &new.body, trouble);
                }
            }
        }
    }

    fn any_tentative(now: &SavedNetwork) -> bool {
        let class = CLASSES.iter().find(|class| class.new == NEW_ADDRESS);
        class.is_some_and(|class| now.objects(class).iter().any(|address| is_tentative(&address.body)))
    }
}

fn index(link: &Object) -> u32 {
    link.key.first_chunk().copied().map_or(0, u32::from_ne_bytes)
}

fn since_boot() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    u64::try_from(now.tv_sec).unwrap_or(0)
}

impl Links for LiveLinks {
    fn set_up(&mut self, index: u32, up: bool) -> Result<(), HostError> {
        let word = if up { "up" } else { "down" };
        let done = self.channel.order(NEW_LINK, 0, &up_message(index, up));
        done.map_err(|failure| failure.about("set", format!("interface {index} {word}")))
    }

    fn save(&mut self) -> Result<SavedNetwork, HostError> {
        let mut dumps = Vec::new();
        for class in CLASSES {
            self.dump(class, &mut dumps)?;
        }
        Ok(SavedNetwork::new(since_boot(), &dumps))
    }

    fn restore(&mut self, saved: &SavedNetwork) -> Result<Vec<String>, HostError> {
        let later = since_boot().saturating_sub(saved.taken());
        let mut trouble = Vec::new();
        self.links(saved, &mut trouble)?;
        let until = Instant::now() + CHECKED;
        let refused = loop {
            let now = self.save()?;
            let (made, refused) = self.round(saved, &now, later);
            if refused.is_empty() || (made == 0 && (!Self::any_tentative(&now) || Instant::now() > until)) {
                break refused;
            }
            if made == 0 {
                std::thread::sleep(Duration::from_millis(50));
            }
        };
        let now = self.save()?;
        self.tidy(saved, &now, &mut trouble);
        trouble.extend(refused.iter().map(|(was, failure)| failure.about("restore", was).to_string()));
        for class in CLASSES.iter().skip(1) {
            let there: BTreeSet<Vec<u8>> = now.objects(class).into_iter().map(|is| is.key).collect();
            let gone = saved.objects(class).into_iter().filter(|was| !there.contains(&was.key));
            let ended = gone.filter(|was| was.remake(later).is_none());
            trouble
                .extend(ended.map(|was| format!("{was}: it has run out, or the kernel alone can make it")));
        }
        Ok(trouble)
    }

    fn compare(&mut self, saved: &SavedNetwork) -> Result<Vec<String>, HostError> {
        Ok(saved.differences(&self.save()?))
    }

    fn pin_addresses(&mut self) -> Result<usize, HostError> {
        let now = self.save()?;
        let mut count = 0;
        for class in CLASSES.iter().filter(|class| class.new == NEW_ADDRESS) {
            for address in now.objects(class) {
                let Some(body) = pinned(&address.body) else { continue };
                let done = self.channel.order(NEW_ADDRESS, NLM_F_REPLACE, &body);
                done.map_err(|failure| failure.about("pin", &address))?;
                count += 1;
            }
        }
        Ok(count)
    }
}
