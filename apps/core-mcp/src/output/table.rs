//! Columns for people.

use console::{measure_text_width, pad_str, truncate_str};

use super::plain;

/// No cell is wider than this; a longer one ends in `…`.
const CELL_WIDTH_MAX: usize = 72;
/// The last column pushes nothing aside, so it may hold whole sentences.
const LAST_CELL_WIDTH_MAX: usize = 400;

/// Rows under a header, padded to columns. Cells are made plain.
pub(crate) struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(header: &[&str]) -> Self {
        Self { header: header.iter().map(|it| (*it).to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn row<const N: usize>(&mut self, cells: [&str; N]) {
        let cells = cells.iter().enumerate().map(|(column, cell)| {
            let width = if column + 1 == N { LAST_CELL_WIDTH_MAX } else { CELL_WIDTH_MAX };
            truncate_str(&plain(cell), width, "…").into_owned()
        });
        self.rows.push(cells.collect());
    }

    /// The table as text, or `empty` when it has no rows.
    pub(crate) fn render(&self, empty: &str) -> String {
        if self.rows.is_empty() {
            return empty.to_owned();
        }
        let width = |column: usize| {
            let cells = self.rows.iter().chain([&self.header]).filter_map(|row| row.get(column));
            cells.map(|it| measure_text_width(it)).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.header.len()).map(width).collect();
        let line = |cells: &[String]| {
            let padded = cells
                .iter()
                .zip(&widths)
                .map(|(cell, width)| pad_str(cell, *width, console::Alignment::Left, None));
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let mut lines = vec![console::style(line(&self.header)).bold().to_string()];
        lines.extend(self.rows.iter().map(|row| line(row)));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_hostile_cells_are_made_plain() {
        let mut table = Table::new(&["name", "state"]);
        table.row(["a\u{1b}[31m", "up"]);
        table.row(["longer-name", "down"]);
        let text = console::strip_ansi_codes(&table.render("none")).into_owned();
        assert_eq!(text, "name         state\na\u{fffd}[31m       up\nlonger-name  down");
    }

    #[test]
    fn an_empty_table_says_so() {
        assert_eq!(Table::new(&["name"]).render("nothing yet"), "nothing yet");
    }
}
