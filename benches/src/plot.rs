//! Bars of "times as fast" on a logarithmic axis, as SVG.

use std::fmt::Write;

/// A row of the plot.
pub(crate) struct Bar<'a> {
    pub(crate) group: &'a str,
    pub(crate) name: &'a str,
    pub(crate) beside: &'a str,
    pub(crate) times: f64,
    pub(crate) range: (f64, f64),
    pub(crate) target: Option<f64>,
}

/// Lengths in pixels.
const ROW: f64 = 20.0;
const HEADING: f64 = 32.0;
const TOP: f64 = 56.0;
const NAME: f64 = 16.0;
const BESIDE: f64 = 376.0;
const LEFT: f64 = 570.0;
const WIDE: f64 = 400.0;
const RIGHT: f64 = 70.0;

/// Where the axis has lines.
const TICKS: [f64; 11] = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0];

/// The colours are told apart on the paper that the plot brings along, whatever lies around it.
const STYLE: &str = "text{font:12px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#24292f}\
.beside,.tick{fill:#6e7781}.group{font-weight:600;font-size:13px}.title{font-weight:600;font-size:15px}.end{text-anchor:end}\
.middle{text-anchor:middle}.line{stroke:#d8dee4}.one{stroke:#6e7781}.more{fill:#2f7fc1}.less{fill:#d97b29}\
.whisker{stroke:#24292f;stroke-width:1.2;fill:none}.target{stroke:#a3123a;stroke-width:2.5}";

/// The plot of `bars`, with a heading where the group changes.
pub(crate) fn svg(bars: &[Bar<'_>]) -> String {
    let seen = bars.iter().flat_map(|bar| [bar.range.0, bar.range.1, bar.target.unwrap_or(1.0)]);
    let (least, most) = seen.fold((1.0_f64, 1.0_f64), |(least, most), value| (least.min(value), most.max(value)));
    // The axis reaches to the ticks around all that is seen.
    let first = TICKS.iter().copied().rfind(|tick| *tick <= least).unwrap_or(TICKS[0]);
    let last = TICKS.iter().copied().find(|tick| *tick > most).unwrap_or(TICKS[TICKS.len() - 1]);
    let x = |value: f64| LEFT + WIDE * (value.clamp(first, last) / first).ln() / (last / first).ln();

    let headings = (0..bars.len()).filter(|at| begins(bars, *at)).count();
    let bottom = TOP + ROW * bars.len() as f64 + HEADING * headings as f64 + 8.0;
    let (width, height) = (LEFT + WIDE + RIGHT, bottom + 28.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\n\
         <style>{STYLE}</style>\n<rect width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"#f6f8fa\"/>\n\
         <text class=\"title\" x=\"{NAME}\" y=\"26\">How many times as fast as its peers vimage is</text>\n\
         <text class=\"beside\" x=\"{NAME}\" y=\"44\">bars: medians of pairs; whiskers: all pairs; red: the target</text>\n\
         <text class=\"beside\" x=\"{BESIDE}\" y=\"44\">beside</text>\n"
    );
    for tick in TICKS.into_iter().filter(|tick| (first..=last).contains(tick)) {
        let (at, class) = (x(tick), if tick == 1.0 { "one" } else { "line" });
        let _ = writeln!(svg, "<path class=\"{class}\" d=\"M{at:.1} {TOP}V{bottom}\"/>");
        for y in [TOP - 12.0, bottom + 17.0] {
            let _ = writeln!(svg, "<text class=\"tick middle\" x=\"{at:.1}\" y=\"{y:.1}\">{tick}</text>");
        }
    }
    let mut y = TOP;
    for (at, bar) in bars.iter().enumerate() {
        if begins(bars, at) {
            let _ =
                writeln!(svg, "<text class=\"group\" x=\"{NAME}\" y=\"{:.1}\">{}</text>", y + 22.0, escaped(bar.group));
            y += HEADING;
        }
        svg.push_str(&drawn(bar, y, x));
        y += ROW;
    }
    svg + "</svg>\n"
}

/// Whether a group begins with the bar `at`.
fn begins(bars: &[Bar<'_>], at: usize) -> bool {
    at == 0 || bars[at].group != bars[at - 1].group
}

fn drawn(bar: &Bar<'_>, y: f64, x: impl Fn(f64) -> f64) -> String {
    let (from, to) = (x(bar.times.min(1.0)), x(bar.times.max(1.0)));
    let (least, most) = (x(bar.range.0), x(bar.range.1));
    let (text, middle) = (y + 14.0, y + 10.0);
    let class = if bar.times < 1.0 { "less" } else { "more" };
    let mut svg = format!(
        "<text x=\"{NAME}\" y=\"{text:.1}\">{}</text>\n<text class=\"beside\" x=\"{BESIDE}\" y=\"{text:.1}\">{}</text>\n\
         <rect class=\"{class}\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"12\"/>\n\
         <path class=\"whisker\" d=\"M{least:.1} {middle:.1}H{most:.1}M{least:.1} {:.1}v6M{most:.1} {:.1}v6\"/>\n",
        escaped(bar.name),
        escaped(bar.beside),
        y + 4.0,
        (to - from).max(0.5),
        middle - 3.0,
        middle - 3.0,
    );
    if let Some(target) = bar.target {
        let _ = writeln!(svg, "<path class=\"target\" d=\"M{:.1} {:.1}v16\"/>", x(target), y + 2.0);
    }
    let _ = writeln!(
        svg,
        "<text class=\"end\" x=\"{:.1}\" y=\"{text:.1}\">{:.2}×</text>",
        LEFT + WIDE + RIGHT - 12.0,
        bar.times
    );
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(group: &'static str, times: f64, target: Option<f64>) -> Bar<'static> {
        Bar { group, name: "a & b", beside: "<c>", times, range: (times * 0.9, times * 1.1), target }
    }

    #[test]
    fn every_mark_lies_within_the_axis_and_names_are_escaped() {
        let svg = svg(&[bar("One", 0.001, None), bar("One", 5.0, Some(7.0)), bar("Two", 1000.0, Some(1.0))]);
        let text = svg.matches("<text class=\"group\"").count();
        assert_eq!((text, svg.matches("class=\"target\"").count(), svg.matches("class=\"more\"").count()), (2, 2, 2));
        assert!(svg.contains(">a &amp; b<") && svg.contains(">&lt;c&gt;<"));
        let mut reader = quick_xml::Reader::from_str(&svg);
        while !matches!(reader.read_event().unwrap(), quick_xml::events::Event::Eof) {}
        for mark in svg.split("class=\"whisker\" d=\"M").skip(1) {
            let (least, rest) = mark.split_once(' ').unwrap();
            let most = rest.split_once('H').unwrap().1.split('M').next().unwrap();
            for at in [least, most].map(|at| at.parse::<f64>().unwrap()) {
                assert!((LEFT..=LEFT + WIDE).contains(&at), "{at}");
            }
        }
    }
}
