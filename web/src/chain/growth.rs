//! The shape of the chart of growth: positions in a drawing of fixed size.

use protocol::chain::GrowthPoint;

/// Width of the drawing, in its own units.
pub(crate) const WIDTH: u64 = 1000;
/// Height of the drawing.
pub(crate) const HEIGHT: u64 = 240;
/// Points that are drawn; the service sends no more than 120.
const MAX_POINTS: usize = 500;

/// What is drawn: the outline of the tree's size over time, and the area below it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Chart {
    /// The points, ascending in time.
    pub(crate) points: Vec<GrowthPoint>,
    /// SVG path of the outline.
    pub(crate) line: String,
    /// SVG path of the area.
    pub(crate) area: String,
}

impl Chart {
    /// The chart of `growth`; none where there are fewer than two points in time. What is out of order is passed over:
    /// it is the operator's word, and may be anything.
    pub(crate) fn of(growth: &[GrowthPoint]) -> Option<Self> {
        let mut points: Vec<GrowthPoint> = Vec::new();
        for point in growth.iter().take(MAX_POINTS) {
            match points.last_mut() {
                Some(last) if point.time < last.time || point.size < last.size => {}
                // Several trees of one second: the last of them.
                Some(last) if point.time == last.time => last.size = point.size,
                _ => points.push(*point),
            }
        }
        let (first, last) = (*points.first()?, *points.last()?);
        if first.time == last.time {
            return None;
        }
        let x = |time: u64| scaled(time - first.time, last.time - first.time, WIDTH);
        let y = |size: u64| HEIGHT - scaled(size, last.size.max(1), HEIGHT);
        // Steps: between two points the size is that of the earlier one.
        let mut line = format!("M0 {}", y(first.size));
        for point in points.iter().skip(1) {
            line.push_str(&format!("H{}V{}", x(point.time), y(point.size)));
        }
        let area = format!("{line}V{HEIGHT}H0Z");
        Some(Self { points, line, area })
    }

    /// The earliest and the latest point.
    pub(crate) fn ends(&self) -> Option<(GrowthPoint, GrowthPoint)> {
        Some((*self.points.first()?, *self.points.last()?))
    }
}

fn scaled(part: u64, whole: u64, to: u64) -> u64 {
    let scaled = u128::from(part) * u128::from(to) / u128::from(whole.max(1));
    u64::try_from(scaled).unwrap_or(to).min(to)
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn points(points: &[(u64, u64)]) -> Vec<GrowthPoint> {
        points.iter().map(|(time, size)| GrowthPoint { time: *time, size: *size }).collect()
    }

    #[wasm_bindgen_test]
    fn growth_is_drawn_in_steps_from_the_left_edge_to_the_right() {
        let chart = Chart::of(&points(&[(100, 0), (150, 50), (200, 100)])).unwrap();
        assert_eq!(chart.line, "M0 240H500V120H1000V0");
        assert_eq!(chart.area, "M0 240H500V120H1000V0V240H0Z");
    }

    #[wasm_bindgen_test]
    fn of_several_trees_in_one_second_the_last_is_drawn() {
        let chart = Chart::of(&points(&[(100, 1), (100, 2), (110, 3), (110, 14), (110, 15)])).unwrap();
        assert_eq!(chart.points, points(&[(100, 2), (110, 15)]));
        assert_eq!(chart.line, "M0 208H1000V0");
    }

    #[wasm_bindgen_test]
    fn too_little_is_not_drawn() {
        assert_eq!(Chart::of(&[]), None);
        assert_eq!(Chart::of(&points(&[(100, 5)])), None);
        assert_eq!(Chart::of(&points(&[(100, 5), (100, 6)])), None);
    }

    #[wasm_bindgen_test]
    fn nonsense_stays_within_the_drawing() {
        let chart = Chart::of(&points(&[(5, 7), (3, 9), (9, 2), (u64::MAX, u64::MAX), (10, 1)])).unwrap();
        assert_eq!(chart.points, points(&[(5, 7), (u64::MAX, u64::MAX)]));
        assert_eq!(chart.line, "M0 240H1000V0");
        // A chain that is empty throughout.
        assert_eq!(Chart::of(&points(&[(1, 0), (2, 0)])).unwrap().line, "M0 240H1000V240");
    }
}
