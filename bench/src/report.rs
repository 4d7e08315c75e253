//! A report as blocks, and its two forms: plain text for the terminal, Markdown for the page.

/// A piece of the report.
pub enum Block {
    Heading(String),
    Text(String),
    List(Vec<String>),
    Table(Table),
}

/// Rows of cells under a head; every row is as long as the head.
pub struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new<T: Into<String>>(head: impl IntoIterator<Item = T>) -> Table {
        Table { head: head.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row; missing cells at its end stay empty.
    pub fn row(&mut self, mut cells: Vec<String>) {
        cells.resize(self.head.len(), String::new());
        self.rows.push(cells);
    }

    fn lines(&self) -> impl Iterator<Item = &Vec<String>> {
        std::iter::once(&self.head).chain(&self.rows)
    }

    fn width(&self, column: usize) -> usize {
        self.lines().map(|cells| cells[column].chars().count()).max().unwrap_or(0)
    }

    /// Whether a column holds nothing but figures, dashes for missing ones, and empty cells.
    fn holds_figures(&self, column: usize) -> bool {
        let figure = |cell: &String| cell.is_empty() || cell == "-" || cell.parse::<f64>().is_ok();
        self.rows.iter().all(|cells| figure(&cells[column]))
    }

    /// Cells padded to columns: figures to the right, words to the left.
    fn aligned(&self, cells: &[String]) -> Vec<String> {
        let pad = |(column, cell): (usize, &String)| {
            let width = self.width(column);
            match self.holds_figures(column) {
                true => format!("{cell:>width$}"),
                false => format!("{cell:<width$}"),
            }
        };
        cells.iter().enumerate().map(pad).collect()
    }
}

/// For the terminal.
pub fn plain(blocks: &[Block]) -> String {
    let mut text = String::new();
    for block in blocks {
        match block {
            Block::Heading(title) => text += &format!("\n== {title} ==\n"),
            Block::Text(words) => text += &format!("{words}\n"),
            Block::List(items) => items.iter().for_each(|item| text += &format!("- {item}\n")),
            Block::Table(table) => {
                table
                    .lines()
                    .for_each(|cells| text += &format!("{}\n", table.aligned(cells).join("  ").trim_end()));
            }
        }
    }
    text
}

/// For the page.
pub fn markdown(blocks: &[Block]) -> String {
    let mut text = String::from("# Benchmarks\n\nWritten by `make bench`; do not edit.\n");
    for block in blocks {
        text.push('\n');
        match block {
            Block::Heading(title) => text += &format!("## {title}\n"),
            Block::Text(words) => text += &format!("{words}\n"),
            Block::List(items) => items.iter().for_each(|item| text += &format!("- {item}\n")),
            Block::Table(table) => text += &markdown_table(table),
        }
    }
    text
}

fn markdown_table(table: &Table) -> String {
    let line = |cells: &[String]| format!("| {} |\n", table.aligned(cells).join(" | "));
    let rule = (0..table.head.len()).map(|column| match table.holds_figures(column) {
        true => format!("| {}: ", "-".repeat(table.width(column).max(3) - 1)),
        false => format!("| {} ", "-".repeat(table.width(column).max(3))),
    });
    let rule: String = rule.collect::<String>() + "|\n";
    let rows: String = table.rows.iter().map(|cells| line(cells)).collect();
    line(&table.head) + &rule + &rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(["who", "ms"]);
        table.row(vec!["crun".into(), "6.66".into()]);
        table.row(vec!["floor".into()]);
        table
    }

    #[test]
    fn plain_columns_line_up() {
        assert_eq!(plain(&[Block::Table(table())]), "who      ms\ncrun   6.66\nfloor\n");
    }

    #[test]
    fn markdown_tables_have_a_rule_and_full_rows() {
        let text = markdown(&[Block::Table(table())]);
        assert!(
            text.ends_with("| who   |   ms |\n| ----- | ---: |\n| crun  | 6.66 |\n| floor |      |\n"),
            "{text}"
        );
    }
}
