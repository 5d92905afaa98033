//! Pods that a kubelet starts from files of its own host.
//!
//! No whole reading of YAML: the few names that say what a pod may do are found by line and indentation, in block and flow
//! form (JSON is the latter).

use super::docker::{capability, mount};
use crate::{Format, lines};
use calma_record::{Text, kinds::Container};

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "static-pod",
    doc: "What a pod's manifest lets it do to the host.",
    manual: "Kubernetes API reference, Pod (v1); KubeletConfiguration (staticPodPath)",
    samples: &[
        b"apiVersion: v1\nkind: Pod\nmetadata:\n  name: web # x\nspec:\n  hostPID: true\n  containers:\n  - command:\n    - sh\n    - -c\n    - |\n      id\n      ls\n    image: \"a/b:1\"\n    name: c\n    securityContext:\n      privileged: true\n    volumeMounts:\n    - mountPath: /h\n      name: root\n    - mountPath: /e\n      name: etc\n      readOnly: true\n  volumes:\n  - hostPath:\n      path: /\n    name: root\n  - name: etc\n    hostPath:\n      path: /etc\n",
        br#"{"kind":"Pod","metadata":{"name":"x"},"spec":{"hostNetwork":true,"containers":[{"image":"i","command":["sh","-c","a, b"],"volumeMounts":[{"name":"v","mountPath":"/m"}]}],"volumes":[{"name":"v","hostPath":{"path":"/root"}}]}}"#,
        b"kind: KubeletConfiguration\nstaticPodPath: /etc/kubernetes/manifests\n",
    ],
    feed: |bytes| {
        parse(bytes);
        place(bytes);
    },
};

/// A name with its value, or a value alone, as it stands in a list.
#[derive(Debug, Default)]
struct Token {
    /// Which member of a list it belongs to.
    item: u32,
    key: Vec<u8>,
    value: Vec<u8>,
}

/// The pod, without runtime, id and path; `None` if the text describes none.
pub fn parse(bytes: &[u8]) -> Option<Container> {
    let tokens = tokens(bytes);
    if !tokens.iter().any(|token| token.key == b"kind" && token.value == b"Pod") {
        return None;
    }
    let is =
        |key: &[u8]| tokens.iter().any(|token| token.key == key && token.value.eq_ignore_ascii_case(b"true"));
    let mut row = Container {
        privileged: is(b"privileged"),
        host_pid: is(b"hostPID"),
        host_network: is(b"hostNetwork"),
        host_ipc: is(b"hostIPC"),
        restart: "always".to_owned(),
        ..Container::default()
    };
    let mut images: Vec<&[u8]> = Vec::new();
    let mut list: &[u8] = b"";
    let mut after_metadata = false;
    for token in &tokens {
        if token.key.is_empty() {
            match list {
                b"command" | b"args" if row.command.len() < 256 => {
                    row.command.push(token.value.as_slice().into())
                }
                b"add" => row.capabilities.push(capability(&token.value.as_slice().into())),
                _ => {}
            }
            continue;
        }
        list = &token.key;
        match token.key.as_slice() {
            b"metadata" => after_metadata = true,
            b"name" if after_metadata && row.name.is_empty() => row.name = token.value.as_slice().into(),
            b"image"
                if images.len() < 64
                    && !token.value.is_empty()
                    && !images.contains(&token.value.as_slice()) =>
            {
                images.push(&token.value);
            }
            _ => {}
        }
    }
    row.capabilities.sort();
    row.capabilities.dedup();
    row.image = images.join(&b", "[..]).into();
    volumes(&tokens, &mut row);
    Some(row)
}

/// Directories of the host, and whether each mount of them is read-only.
fn volumes(tokens: &[Token], row: &mut Container) {
    let mut mounts: std::collections::BTreeMap<&[u8], bool> = std::collections::BTreeMap::new();
    for members in tokens.chunk_by(|a, b| a.item == b.item) {
        let value =
            |key: &[u8]| members.iter().find(|token| token.key == key).map(|token| token.value.as_slice());
        if let (Some(_), Some(name)) = (value(b"mountPath"), value(b"name")) {
            let writable = value(b"readOnly").is_none_or(|value| value != b"true");
            *mounts.entry(name).or_default() |= writable;
        }
    }
    for members in tokens.chunk_by(|a, b| a.item == b.item) {
        let mut rest = members.iter().skip_while(|token| token.key != b"hostPath");
        let Some(path) = rest.find(|token| token.key == b"path") else { continue };
        let name = members.iter().find(|token| token.key == b"name").map(|token| token.value.as_slice());
        let writable = name.and_then(|name| mounts.get(name)).copied().unwrap_or(true);
        mount(row, &path.value.as_slice().into(), writable);
    }
}

/// Where a kubelet's configuration says that static pods are.
pub fn place(bytes: &[u8]) -> Option<Text> {
    let found = tokens(bytes).into_iter().find(|token| token.key == b"staticPodPath")?;
    (found.value.starts_with(b"/")).then(|| found.value.into())
}

fn tokens(bytes: &[u8]) -> Vec<Token> {
    let mut all = Vec::new();
    let (mut item, mut item_indent) = (0_u32, 0_usize);
    let (mut flow, mut open) = (Vec::<u8>::new(), Open::default());
    // Inside a block scalar: its indentation.
    let mut block: Option<usize> = None;
    for (_, line) in lines::numbered(bytes) {
        if !flow.is_empty() {
            flow.extend([b" ", line].concat());
            open.feed(line);
            if open.is_closed() {
                in_flow(&std::mem::take(&mut flow), &mut item, &mut all);
                item = item.saturating_add(1);
            }
            continue;
        }
        let mut rest = line.trim_ascii();
        let mut indent = line.len() - line.trim_ascii_start().len();
        if let Some(of) = block {
            if rest.is_empty() || indent > of {
                if let Some(last) = all.last_mut().filter(|_| !rest.is_empty()) {
                    last.value.extend([rest, b"\n"].concat());
                }
                continue;
            }
            block = None;
        }
        if rest.is_empty() || rest.starts_with(b"#") || rest == b"---" {
            continue;
        }
        if indent < item_indent {
            (item, item_indent) = (item.saturating_add(1), indent);
        }
        let dash = indent;
        while let Some(after) =
            rest.strip_prefix(b"-").filter(|after| after.is_empty() || after.starts_with(b" "))
        {
            indent += rest.len() - after.trim_ascii_start().len();
            rest = after.trim_ascii_start();
            (item, item_indent) = (item.saturating_add(1), indent);
        }
        let (key, value) = pair(rest);
        if value.starts_with(b"{") || value.starts_with(b"[") {
            if !key.is_empty() {
                all.push(Token { item, key: key.to_vec(), value: Vec::new() });
            }
            open = Open::default();
            open.feed(value);
            if open.is_closed() {
                in_flow(value, &mut item, &mut all);
            } else {
                flow = value.to_vec();
            }
        } else if !key.is_empty() || !value.is_empty() {
            let is_block = matches!(value.first(), Some(b'|' | b'>')) && value.len() <= 3;
            block = is_block.then_some(dash);
            let value = if is_block { Vec::new() } else { scalar(value) };
            all.push(Token { item, key: scalar(key), value });
        }
    }
    if !flow.is_empty() {
        in_flow(&flow, &mut item, &mut all);
    }
    all
}

/// `key: value`, or a value alone.
fn pair(text: &[u8]) -> (&[u8], &[u8]) {
    if text.starts_with(b"{") || text.starts_with(b"[") {
        return (b"", text);
    }
    let colon = text
        .iter()
        .enumerate()
        .find(|(at, b)| **b == b':' && text.get(at + 1).is_none_or(|next| matches!(next, b' ' | b'\t')));
    match colon {
        Some((at, _)) if !text.get(..at).unwrap_or_default().contains(&b' ') => {
            (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default().trim_ascii())
        }
        _ => (b"", text),
    }
}

/// A plain or quoted value, without a remark behind it.
fn scalar(text: &[u8]) -> Vec<u8> {
    match text.first() {
        Some(quote @ (b'"' | b'\'')) => {
            let inside = text.get(1..).unwrap_or_default();
            inside.iter().take_while(|b| *b != quote).copied().collect()
        }
        _ => {
            let end = text.windows(2).position(|pair| pair == b" #").unwrap_or(text.len());
            text.get(..end).unwrap_or_default().trim_ascii().to_vec()
        }
    }
}

/// Whether as many brackets were closed as opened. Those in quotes do not count.
#[derive(Default)]
struct Open {
    brackets: i64,
    quote: Option<u8>,
}

impl Open {
    fn feed(&mut self, text: &[u8]) {
        for byte in text {
            match (self.quote, byte) {
                (Some(end), _) if end == *byte => self.quote = None,
                (Some(_), _) => {}
                (None, b'"' | b'\'') => self.quote = Some(*byte),
                (None, b'{' | b'[') => self.brackets += 1,
                (None, b'}' | b']') => self.brackets -= 1,
                _ => {}
            }
        }
    }

    fn is_closed(&self) -> bool {
        self.brackets <= 0
    }
}

/// The pairs and values of `{a: b, c: [d, e]}`; each `{` that stands in a list begins a new member.
fn in_flow(text: &[u8], item: &mut u32, all: &mut Vec<Token>) {
    let mut stack: Vec<u8> = Vec::new();
    let (mut key, mut word, mut quote) = (Vec::new(), Vec::new(), None);
    let mut quoted = false;
    for byte in text.iter().copied() {
        if let Some(end) = quote {
            if byte == end {
                quote = None
            } else {
                word.push(byte)
            }
            continue;
        }
        match byte {
            b'"' | b'\'' => (quote, quoted) = (Some(byte), true),
            b':' if stack.last() == Some(&b'{') && key.is_empty() => {
                key = std::mem::take(&mut word).trim_ascii().to_vec();
                quoted = false;
            }
            b'{' | b'[' | b'}' | b']' | b',' => {
                let value = std::mem::take(&mut word).trim_ascii().to_vec();
                if !key.is_empty() || !value.is_empty() || quoted {
                    all.push(Token { item: *item, key: std::mem::take(&mut key), value });
                }
                quoted = false;
                match byte {
                    b'{' => {
                        if stack.last() == Some(&b'[') {
                            *item = item.saturating_add(1);
                        }
                        stack.push(byte);
                    }
                    b'[' => stack.push(byte),
                    b'}' | b']' => drop(stack.pop()),
                    _ => {}
                }
                // Behind the last member of a list, nothing belongs to it any more.
                if byte == b']' {
                    *item = item.saturating_add(1);
                }
                if stack.len() > 256 {
                    return;
                }
            }
            _ => word.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_and_flow_forms_are_understood() {
        let row = parse(FORMAT.samples[0]).unwrap();
        assert!(row.host_pid && row.privileged && !row.host_network, "{row:?}");
        assert_eq!((row.name, row.image), ("web".into(), "a/b:1".into()));
        assert_eq!((row.writable, row.readable), (vec!["/".into()], vec!["/etc".into()]));
        assert_eq!(row.command, ["sh", "-c", "id\nls\n"]);
        let row = parse(FORMAT.samples[1]).unwrap();
        assert!(row.host_network && !row.privileged, "{row:?}");
        assert_eq!((row.name, row.image, row.writable), ("x".into(), "i".into(), vec!["/root".into()]));
        assert_eq!(row.command, ["sh", "-c", "a, b"]);
        assert_eq!(place(FORMAT.samples[2]), Some("/etc/kubernetes/manifests".into()));
        assert_eq!(parse(b"kind: Service\n"), None);
        let mixed = b"kind: Pod\nspec: {hostPID: true, containers: [{name: a, image: i,\n securityContext: {privileged: true}}]}\n";
        let row = parse(mixed).unwrap();
        assert!(row.host_pid && row.privileged, "{row:?}");
    }
}
