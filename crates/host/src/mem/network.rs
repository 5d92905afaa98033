//! The network side of the in-memory kernel: scripted answers.

use crate::{Answer, Cause, HostError, Namespace, Network, Protocol, Request};
use calma_record::Text;
use std::collections::BTreeMap;

/// The network side of a [`Mem`](crate::Mem) host. A question nobody scripted is not supported, and a
/// namespace nobody scripted can not be entered.
#[derive(Debug, Default)]
pub struct MemNetwork {
    answers: Vec<Scripted>,
    protocols: BTreeMap<(u32, u32), Text>,
}

#[derive(Debug)]
struct Scripted {
    namespace: Namespace,
    protocol: Protocol,
    kind: u16,
    body: Vec<u8>,
    answer: Result<Answer, i32>,
}

impl MemNetwork {
    /// Answers questions of this type whose body begins with `body`. Each message is its type and what follows the header.
    pub fn answer(
        &mut self,
        namespace: Namespace,
        protocol: Protocol,
        kind: u16,
        body: impl Into<Vec<u8>>,
        messages: impl IntoIterator<Item = (u16, Vec<u8>)>,
    ) {
        let mut bytes = Vec::new();
        for (kind, body) in messages {
            bytes.extend(u32::try_from(16 + body.len()).unwrap_or(u32::MAX).to_ne_bytes());
            bytes.extend(kind.to_ne_bytes());
            bytes.extend([0; 10]);
            bytes.extend(body);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        let answer = Ok(Answer { messages: bytes, ..Answer::default() });
        self.answers.push(Scripted { namespace, protocol, kind, body: body.into(), answer });
    }

    /// Refuses questions of this type.
    pub fn refuse(&mut self, namespace: Namespace, protocol: Protocol, kind: u16, errno: i32) {
        let answer = Err(errno);
        self.answers.push(Scripted { namespace, protocol, kind, body: Vec::new(), answer });
    }

    /// Tells the protocol name of an open socket.
    pub fn socket_protocol(&mut self, pid: u32, descriptor: u32, name: &str) {
        self.protocols.insert((pid, descriptor), name.into());
    }
}

impl Network for MemNetwork {
    fn ask(
        &self,
        namespace: &Namespace,
        requests: &[Request],
    ) -> Result<Vec<Result<Answer, HostError>>, HostError> {
        if let Namespace::At(path) = namespace
            && !self.answers.iter().any(|scripted| scripted.namespace == *namespace)
        {
            return Err(HostError::new("setns", path.clone(), Cause::Unsupported));
        }
        Ok(requests
            .iter()
            .map(|request| {
                let scripted = self.answers.iter().find(|scripted| {
                    scripted.namespace == *namespace
                        && scripted.protocol == request.protocol
                        && scripted.kind == request.kind
                        && request.body.starts_with(&scripted.body)
                });
                match scripted.map(|scripted| &scripted.answer) {
                    Some(Ok(answer)) => Ok(answer.clone()),
                    Some(Err(errno)) => Err(HostError::new("netlink", "memory", Cause::Errno(*errno))),
                    None => Err(HostError::new("netlink", "memory", Cause::Unsupported)),
                }
            })
            .collect())
    }

    fn identifiers(&self, _: &Namespace, others: &[Namespace]) -> Result<Vec<Option<u32>>, HostError> {
        Ok(vec![None; others.len()])
    }

    fn socket_protocol(&self, pid: u32, descriptor: u32) -> Result<Text, HostError> {
        self.protocols
            .get(&(pid, descriptor))
            .cloned()
            .ok_or_else(|| HostError::new("getxattr", "memory", Cause::Errno(libc::ENOENT)))
    }
}
