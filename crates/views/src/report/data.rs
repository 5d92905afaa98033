//! The facts of one kind as compact JSON in a script element that no browser executes.

use super::Table;
use calma_record::{Column, Role, Schema, printed};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

/// Characters of a cell that are shown; the case holds the rest.
const CELL: usize = 2_000;
/// Columns one sees at once where nothing was said about a kind.
const MAIN: usize = 7;

/// Passes JSON on so that it can not end its script element or begin a comment: `<`, `>` and `&`, which stand only
/// inside strings there, become `\u003c` and so on (HTML Standard, "Restrictions for contents of script elements").
struct Inert<'a>(BufWriter<&'a mut dyn Write>);

impl Write for Inert<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|byte| matches!(byte, b'<' | b'>' | b'&')) {
            let (before, from) = rest.split_at(at);
            self.0.write_all(before)?;
            let byte = from.first().copied().unwrap_or_default();
            write!(self.0, "\\u{byte:04x}")?;
            rest = from.get(1..).unwrap_or_default();
        }
        self.0.write_all(rest)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Writes one table's data: its columns that hold anything, its sources, its rows as arrays.
pub(super) fn write(table: &Table, to: &mut dyn Write) -> io::Result<()> {
    let Some(schema) = table.schema.as_ref().filter(|_| !table.rows.is_empty()) else { return Ok(()) };
    let columns = used(table, schema);
    let mut open = String::new();
    maud::Render::render_to(printed(&schema.kind).as_ref(), &mut open);
    write!(to, "\n<script type=\"application/json\" id=\"data-{open}\">")?;
    let mut out = Inert(BufWriter::with_capacity(1 << 16, to));
    let head: Vec<Value> = columns
        .iter()
        .map(|column| json!([printed(&column.name), column.role, printed(&column.doc)]))
        .collect();
    write!(out, "{{\"columns\":{},\"main\":{},\"rows\":[", json!(head), json!(main(table, &columns)))?;
    let (mut streams, mut views, mut cells) = (Vec::new(), Vec::new(), Vec::with_capacity(columns.len()));
    let first = columns.iter().position(|column| column.role == Role::Path);
    let zero: Vec<bool> = columns.iter().map(|column| is_zero(column)).collect();
    for (number, row) in table.rows.iter().enumerate() {
        if number > 0 {
            out.write_all(b",\n")?;
        }
        let stream = index(&mut streams, &row.record.stream.0);
        let view = index(&mut views, &(row.from.view, row.from.forger));
        cells.clear();
        cells.extend(columns.iter().zip(&zero).map(|(column, zero)| (row.columns.get(&column.name), *zero)));
        // A place that stands in a cell anyway is not written twice: 0 says "as the first path".
        let place = row.from.place.to_string();
        let path = first.and_then(|first| cells.get(first)).and_then(|(value, _)| value.as_ref());
        write!(out, "[{stream},{},{view},", row.record.seq)?;
        if path.is_some_and(|path| path.as_str() == Some(&place)) {
            out.write_all(b"0")?
        } else {
            string(&mut out, &place)?
        }
        let last = cells.iter().rposition(|(value, zero)| value.is_some() || *zero);
        for (value, zero) in cells.iter().take(last.map_or(0, |last| last + 1)) {
            out.write_all(b",")?;
            match value {
                None if *zero => out.write_all(b"0")?,
                value => cell(&mut out, *value)?,
            }
        }
        out.write_all(b"]")?;
    }
    let views: Vec<Value> = views.iter().map(|(view, forger)| json!([view, forger.to_string()])).collect();
    let streams: Vec<Value> = streams.iter().map(|name| json!(printed(name))).collect();
    write!(out, "],\"streams\":{},\"views\":{}}}", json!(streams), json!(views))?;
    out.flush()?;
    drop(out);
    to.write_all(b"</script>")
}

fn index<T: PartialEq + Clone>(known: &mut Vec<T>, value: &T) -> usize {
    known.iter().position(|known| known == value).unwrap_or_else(|| {
        known.push(value.clone());
        known.len() - 1
    })
}

fn string(out: &mut Inert<'_>, text: &str) -> io::Result<()> {
    let text = printed(text);
    let cut = if text.len() > CELL { text.char_indices().nth(CELL) } else { None };
    let shown = match cut {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()).into(),
        None => text,
    };
    Ok(serde_json::to_writer(&mut *out, &shown)?)
}

/// Numbers and truth as they are, lists as lists, everything else as text.
fn cell(out: &mut Inert<'_>, value: Option<&Value>) -> io::Result<()> {
    match value {
        None | Some(Value::Null) => out.write_all(b"null"),
        Some(Value::String(text)) => string(out, text),
        Some(Value::Bool(value)) => out.write_all(if *value { b"true" } else { b"false" }),
        // Numbers beyond 2^53 are no numbers to a browser's script.
        Some(Value::Number(number)) if number.as_u64().is_some_and(|n| n > 1 << 53) => {
            string(out, &number.to_string())
        }
        Some(Value::Number(number)) => write!(out, "{number}"),
        Some(Value::Array(values)) => {
            out.write_all(b"[")?;
            for (number, value) in values.iter().enumerate() {
                if number > 0 {
                    out.write_all(b",")?;
                }
                cell(out, Some(value))?;
            }
            out.write_all(b"]")
        }
        Some(Value::Object(_)) => string(out, &value.map(ToString::to_string).unwrap_or_default()),
    }
}

/// The columns that hold anything, by tag.
fn used<'a>(table: &Table, schema: &'a Schema) -> Vec<&'a Column> {
    let mut seen: BTreeMap<&str, ()> = BTreeMap::new();
    for row in &table.rows {
        for name in row.columns.keys() {
            if !seen.contains_key(name.as_str()) {
                seen.insert(name, ());
            }
        }
        if seen.len() == schema.columns.len() {
            break;
        }
    }
    schema
        .columns
        .iter()
        .filter(|column| seen.contains_key(column.name.as_str()) || is_zero(column))
        .collect()
}

/// Whether a missing value is 0 and says something: root's. Most other zeros and empty texts say nothing, and a column that
/// may be unknown says so in its description.
fn is_zero(column: &Column) -> bool {
    matches!(column.name.as_str(), "uid" | "gid") && !column.doc.contains("where")
}

/// Positions of the columns one sees at once: those that were named, or the first ones, preferring those with a role.
fn main(table: &Table, columns: &[&Column]) -> Vec<usize> {
    let named: Vec<usize> = table
        .columns
        .iter()
        .filter_map(|name| columns.iter().position(|column| column.name == *name))
        .collect();
    if !named.is_empty() {
        return named;
    }
    let mut order: Vec<usize> = (0..columns.len()).collect();
    order.sort_by_key(|at| columns.get(*at).is_none_or(|column| column.role == Role::Plain));
    order.truncate(MAIN);
    order.sort_unstable();
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_the_element() {
        let mut out: Vec<u8> = Vec::new();
        let mut inert = Inert(BufWriter::new(&mut out));
        string(&mut inert, "</script><!-- <script>\u{2028}&\"\u{7}").unwrap();
        inert.flush().unwrap();
        drop(inert);
        let text = String::from_utf8(out).unwrap();
        assert!(!text.contains(['<', '>', '&', '\u{2028}', '\u{7}']), "{text}");
        let back: String = serde_json::from_str(&text).unwrap();
        assert_eq!(back, "</script><!-- <script>\\xe2\\x80\\xa8&\"\\x07");
    }
}
