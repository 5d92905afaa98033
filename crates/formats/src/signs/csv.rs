//! Signs in comma-, semicolon- or tab-separated values (RFC 4180), with a header that names the columns or without one.

use super::{Found, Sign, guess, of_type, short};

/// More columns than this are not looked at.
const COLUMNS: usize = 64;
/// Longest row, with line breaks in quotes.
const LONGEST: usize = 64 << 10;

/// Whether the first line that is no comment has a separator in the way of a table.
pub(super) fn is_csv(text: &str) -> bool {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    first.is_some_and(|line| separator(line).is_some() && !line.contains(" #"))
}

fn separator(line: &str) -> Option<char> {
    [',', ';', '\t'].into_iter().find(|c| line.contains(*c))
}

/// Which columns hold what.
#[derive(Default)]
struct Columns {
    sort: Option<usize>,
    value: Option<usize>,
    severity: Option<usize>,
    note: Option<usize>,
}

impl Columns {
    /// The columns that a header names, if it is one.
    fn of(header: &[String]) -> Option<Self> {
        let find = |names: &[&str]| {
            header.iter().position(|cell| {
                let cell = cell.trim().to_ascii_lowercase().replace([' ', '-'], "_");
                names.contains(&cell.as_str())
            })
        };
        let value =
            find(&["value", "indicator", "ioc", "observable", "pattern", "indicator_value", "ioc_value"])?;
        Some(Self {
            value: Some(value),
            sort: find(&["type", "kind", "indicator_type", "ioc_type", "observable_type", "category"]),
            severity: find(&["severity", "threat_level", "level", "score", "risk", "priority"]),
            note: find(&["description", "comment", "note", "notes", "title", "malware", "name", "info"]),
        })
    }
}

/// Reads rows.
pub(super) fn read(text: &str, each: &mut dyn FnMut(Found)) {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    let separator = first.and_then(separator).unwrap_or(',');
    let (mut columns, mut rest, mut line) = (None, text, 1);
    let mut begun = false;
    while !rest.is_empty() {
        let (cells, length) = row(rest, separator);
        let (this, behind) = rest.split_at(length);
        let number = line;
        line += this.matches('\n').count();
        rest = behind;
        if this.trim().is_empty() || this.trim_start().starts_with('#') {
            continue;
        }
        if !begun {
            begun = true;
            columns = Columns::of(&cells);
            if columns.is_some() {
                continue;
            }
        }
        each((number, sign(&cells, columns.as_ref())));
    }
}

fn sign(cells: &[String], columns: Option<&Columns>) -> Result<Sign, String> {
    let none = Columns::default();
    let columns = columns.unwrap_or(&none);
    let cell =
        |at: Option<usize>| at.and_then(|at| cells.get(at)).map(|cell| cell.trim()).unwrap_or_default();
    let found = match columns.value {
        Some(_) => {
            let (sort, value) = (cell(columns.sort), cell(columns.value));
            of_type(sort, value).or_else(|| guess(value))
        }
        // Without a header: a type and its value, or the first cell that is a sign by itself.
        None => {
            let pair = cells.first().zip(cells.get(1)).and_then(|(sort, value)| of_type(sort, value));
            pair.or_else(|| cells.iter().find_map(|cell| guess(cell)))
        }
    };
    let found = found.ok_or("no cell of it is a hash, name, path, address, domain or key")?;
    Ok(Sign { severity: short(cell(columns.severity), 40), note: short(cell(columns.note), 200), ..found })
}

/// The cells of the first row, and how many bytes it takes. A quote that never ends ends with its line.
fn row(text: &str, separator: char) -> (Vec<String>, usize) {
    let whole = cells(text, separator, true);
    whole.unwrap_or_else(|| cells(text, separator, false).unwrap_or_default())
}

fn cells(text: &str, separator: char, quotes: bool) -> Option<(Vec<String>, usize)> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = text.char_indices().peekable();
    while let Some((at, c)) = letters.next() {
        if at > LONGEST && quotes {
            return None;
        }
        match c {
            '"' if quotes && quoted && letters.peek().is_some_and(|(_, next)| *next == '"') => {
                letters.next();
                cell.push('"');
            }
            '"' if quotes && (quoted || cell.trim().is_empty()) => quoted = !quoted,
            '\n' if !quoted => {
                cells.push(cell);
                return Some((cells, at + 1));
            }
            c if c == separator && !quoted && cells.len() < COLUMNS => cells.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    cells.push(cell);
    (!quoted).then_some((cells, text.len()))
}

#[cfg(test)]
mod tests {
    use super::super::{Sort, tests::all};

    #[test]
    fn headers_name_the_columns_and_quotes_hold_separators() {
        let text = "# exported\nid,indicator_type,Indicator,Severity,Description\n1,ip,192.0.2.7,high,\"pool, \"\"big\"\"\nline\"\n\
                    2,odd,???,low,x\n3,sha256,zz,low,x\n4,hostname,pool.example,low,\"broken\n5,md5,d41d8cd98f00b204e9800998ecf8427e,,\n";
        let (signs, faults) = all(text);
        assert_eq!(
            signs.iter().map(|sign| sign.sort).collect::<Vec<_>>(),
            [Sort::Address, Sort::Domain, Sort::Md5],
            "{signs:?} {faults:?}"
        );
        assert_eq!((signs[0].severity.as_str(), signs[0].note.as_str()), ("high", "pool, \"big\"\nline"));
        assert_eq!(faults.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [5, 6]);
    }

    #[test]
    fn without_a_header_the_sign_is_looked_for() {
        let (signs, _) = all("md5;d41d8cd98f00b204e9800998ecf8427e\nx;192.0.2.7\n");
        assert_eq!(signs.iter().map(|sign| sign.sort).collect::<Vec<_>>(), [Sort::Md5, Sort::Address]);
    }
}
