//! Which of several signed roots are of one tree, which contradict each other, and what has to be read to find out.

use std::collections::BTreeSet;

use tlog::{TileId, TreeHead, TreeSize, tile_reader};

use super::tiles::Tiles;

/// Roots, by their place in the list that was given.
#[derive(Debug)]
pub(super) struct Connections {
    heads: Vec<TreeHead>,
    /// Places of the non-empty trees, the largest first.
    order: Vec<usize>,
    /// For each root, the roots that it was shown to be a beginning of; itself and its equals among them.
    begins: Vec<BTreeSet<usize>>,
    /// Pairs that cannot both be true.
    forks: Vec<(usize, usize)>,
    /// Place in `order` of the root that smaller ones are compared with next.
    reference: usize,
}

impl Connections {
    /// Compares what can be compared without reading: roots of one size. The empty tree is part of every tree and says nothing.
    pub(super) fn new(heads: Vec<TreeHead>) -> Self {
        let mut order: Vec<_> = (0..heads.len()).filter(|at| heads[*at].size > TreeSize::ZERO).collect();
        order.sort_by_key(|at| std::cmp::Reverse(heads[*at].size));
        let begins = (0..heads.len()).map(|at| BTreeSet::from([at])).collect();
        let mut all = Self { heads, order, begins, forks: Vec::new(), reference: 0 };
        for i in 0..all.order.len() {
            for j in i + 1..all.order.len() {
                let (a, b) = (all.order[i], all.order[j]);
                if all.heads[a] == all.heads[b] {
                    all.connect(a, b);
                    all.connect(b, a);
                } else if all.heads[a].size == all.heads[b].size {
                    all.forks.push((a, b));
                }
            }
        }
        all
    }

    /// `small` is a beginning of `large`, and so is what begins `small` of what `large` begins.
    fn connect(&mut self, small: usize, large: usize) {
        let larger = self.begins[large].clone();
        for begins in self.begins.iter_mut().filter(|begins| begins.contains(&small)) {
            begins.extend(&larger);
        }
    }

    /// Whether the two were proven to be of one tree: both are beginnings of one root. That a third is a beginning of both says
    /// nothing: every fork has a common beginning.
    pub(super) fn are_connected(&self, a: usize, b: usize) -> bool {
        !self.begins[a].is_disjoint(&self.begins[b])
    }

    /// Pairs that were proven to contradict each other.
    pub(super) fn forks(&self) -> &[(usize, usize)] {
        &self.forks
    }

    /// The reference and the smaller roots whose connection with it is open; none when there is nothing left to compare.
    fn open(&self) -> Option<(usize, Vec<usize>)> {
        let reference = *self.order.get(self.reference)?;
        let smaller = self.order[self.reference + 1..].iter().copied();
        let open = smaller.filter(|at| {
            self.heads[*at].size < self.heads[reference].size && !self.are_connected(*at, reference)
        });
        Some((reference, open.collect()))
    }

    /// The tiles that the next comparisons read; none when there are none left.
    pub(super) fn next_tiles(&mut self) -> Option<Vec<TileId>> {
        loop {
            let (reference, open) = self.open()?;
            if open.is_empty() {
                self.advance();
                continue;
            }
            let new = self.heads[reference].size;
            let mut tiles: Vec<_> =
                open.iter().flat_map(|at| tile_reader::growth_tiles(self.heads[*at].size, new)).collect();
            tiles.sort_unstable();
            tiles.dedup();
            return Some(tiles);
        }
    }

    /// Compares the smaller roots with the reference, with the tiles that there are, and goes on to the next reference.
    pub(super) fn compare(&mut self, tiles: &Tiles) {
        let Some((reference, open)) = self.open() else { return };
        let new = self.heads[reference];
        for at in open {
            let old = self.heads[at];
            let Ok(growth) = tile_reader::growth(tiles, old.size, new.size) else { continue };
            // Hashes that do not lead to the signed root are nobody's, and prove nothing.
            if growth.new != new.root {
                continue;
            }
            if growth.old == old.root {
                self.connect(at, reference);
            } else {
                self.forks.push((reference, at));
            }
        }
        self.advance();
    }

    /// Goes on to the next reference. Of two beginnings of one tree, the smaller is a beginning of the larger.
    fn advance(&mut self) {
        if let Some(reference) = self.order.get(self.reference).copied() {
            for place in self.reference + 1..self.order.len() {
                let at = self.order[place];
                if self.are_connected(at, reference) {
                    self.connect(at, reference);
                }
            }
        }
        self.reference += 1;
    }
}
