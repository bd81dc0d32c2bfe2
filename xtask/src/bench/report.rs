//! Medians, and how many times as good ours is.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::{Better, Figure};

/// Everything measured in one bench.
pub(super) struct Report {
    name: String,
    labels: Vec<String>,
    /// By figure: which way is good, and per side the values of all rounds.
    figures: Vec<(String, Better, Vec<Vec<f64>>)>,
}

impl Report {
    pub(super) fn new(name: &str, labels: Vec<String>) -> Self {
        Self { name: name.to_owned(), labels, figures: Vec::new() }
    }

    pub(super) fn add(&mut self, side: usize, figures: Vec<Figure>) {
        let sides = self.labels.len();
        for Figure { name, value, better } in figures {
            let place = self.figures.iter().position(|(known, ..)| *known == name).unwrap_or_else(|| {
                self.figures.push((name, better, vec![Vec::new(); sides]));
                self.figures.len() - 1
            });
            self.figures[place].2[side].push(value);
        }
    }

    /// A table with one line per figure.
    pub(super) fn human(&self) -> String {
        let mut text = format!("{}\n", self.name);
        for (figure, better, sides) in &self.figures {
            write!(text, "  {figure:<16}").expect("a String takes every write");
            let ours = median(&sides[0]);
            for (label, values) in self.labels.iter().zip(sides) {
                let Some(value) = median(values) else { continue };
                write!(text, "  {label} {value:.4}").expect("a String takes every write");
            }
            for (label, values) in self.labels.iter().zip(sides).skip(1) {
                let Some(times) = times_as_good(ours, median(values), *better) else { continue };
                write!(text, "  → {times:.2} × {label}").expect("a String takes every write");
            }
            text.push('\n');
        }
        text
    }

    /// The same for programs, with every round.
    pub(super) fn json(&self) -> Value {
        let mut figures = Map::new();
        for (figure, better, sides) in &self.figures {
            let ours = median(&sides[0]);
            let mut entry = Map::new();
            let mut times = Map::new();
            for (index, (label, values)) in self.labels.iter().zip(sides).enumerate() {
                entry.insert(label.clone(), json!(median(values)));
                entry.insert(format!("{label} rounds"), json!(values));
                if index > 0 {
                    times.insert(label.clone(), json!(times_as_good(ours, median(values), *better)));
                }
            }
            entry.insert("times_as_good".into(), Value::Object(times));
            figures.insert(figure.clone(), Value::Object(entry));
        }
        json!({ "bench": self.name, "sides": self.labels, "figures": figures })
    }
}

fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

fn times_as_good(ours: Option<f64>, peer: Option<f64>, better: Better) -> Option<f64> {
    let (ours, peer) = (ours?, peer?);
    let times = if better == Better::Lower { peer / ours } else { ours / peer };
    times.is_finite().then_some(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn a_ratio_above_one_means_ours_is_better() {
        assert_eq!(times_as_good(Some(1.0), Some(3.0), Better::Lower), Some(3.0));
        assert_eq!(times_as_good(Some(3.0), Some(1.0), Better::Higher), Some(3.0));
        assert_eq!(times_as_good(Some(0.0), Some(1.0), Better::Lower), None);
        assert_eq!(times_as_good(None, Some(1.0), Better::Lower), None);
    }
}
