//! The tree of one cell of a study over time, beside the study's tables: `tree/` with the portraits,
//! the snapshots of the same moments, and which cell it is.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::ResultsError;
use crate::folder::{write_aside, write_json, write_table};
use crate::read::{read_json, read_portraits, read_tree};
use crate::recorder::Recorded;
use crate::records::{PortraitRow, TreeRow};
use crate::study::CellRow;

/// The folder's name.
const FOLDER: &str = "tree";

/// Which cell was portrayed: `cell.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Portrayed {
    /// The values of the axes, in their order.
    pub point: Vec<String>,
    /// The seed.
    pub seed: u64,
    /// The digest of its run, which stands in `cells.csv` as well.
    pub digest: String,
}

impl Portrayed {
    /// Whether it is this cell, as it was run.
    pub fn is_of(&self, row: &CellRow) -> bool {
        let Self { point, seed, digest } = self;
        (point, *seed, digest) == (&row.point, row.seed, &row.digest)
    }
}

/// A cell's tree over time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TreeOverTime {
    /// Which cell's.
    pub cell: Portrayed,
    /// Snapshots, those of the portraits' moments.
    pub tree: Vec<TreeRow>,
    /// Portraits, the earliest first.
    pub portraits: Vec<PortraitRow>,
}

impl TreeOverTime {
    /// What a run of the cell has recorded; none where its protocol keeps no tree.
    pub fn of(cell: Portrayed, recorded: &Recorded) -> Option<Self> {
        let portraits = recorded.portraits.clone();
        let is_portrayed = |row: &&TreeRow| {
            portraits.iter().any(|it| (it.time_ms, it.epoch) == (row.time_ms, row.epoch))
        };
        let tree = recorded.tree.iter().filter(is_portrayed).cloned().collect();
        (!portraits.is_empty()).then_some(Self { cell, tree, portraits })
    }

    /// Writes it into a study's folder, whole or not at all, in the place of an older one.
    pub fn write(&self, study: &Path) -> Result<(), ResultsError> {
        write_aside(&study.join(FOLDER), |folder| {
            write_json(&folder.join("cell.json"), &self.cell)?;
            let (tree, portraits) = (&self.tree, &self.portraits);
            let (tree, portraits) =
                (tree.iter().map(TreeRow::cells), portraits.iter().map(PortraitRow::cells));
            write_table(&folder.join("tree.csv"), &TreeRow::columns(), tree)?;
            write_table(&folder.join("portraits.csv"), &PortraitRow::columns(), portraits)
        })
    }

    /// Takes it out of a study's folder.
    pub fn remove(study: &Path) -> Result<(), ResultsError> {
        let folder = study.join(FOLDER);
        if !folder.exists() {
            return Ok(());
        }
        std::fs::remove_dir_all(&folder).map_err(ResultsError::write(&folder))
    }

    /// Reads it from a study's folder; none if it has none of these cells, or where means alone are kept none
    /// at all.
    pub fn read(study: &Path, cells: &[CellRow]) -> Result<Option<Self>, ResultsError> {
        let folder = study.join(FOLDER);
        if !folder.exists() {
            return Ok(None);
        }
        let cell = read_json(&folder.join("cell.json"))?;
        let (tree, portraits) = (read_tree(&folder)?, read_portraits(&folder)?);
        let read = Self { cell, tree, portraits };
        Ok(cells.iter().any(|row| read.cell.is_of(row)).then_some(read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: CellRow =
        CellRow { point: vec![], seed: 0, digest: String::new(), numbers: vec![] };

    #[test]
    fn it_is_read_as_it_was_written_and_replaced_as_a_whole() {
        let study = tempfile::tempdir().unwrap();
        let row = |time_ms| TreeRow { time_ms, members: 4, ..TreeRow::default() };
        let portrait = |time_ms, first| PortraitRow { time_ms, first, ..PortraitRow::default() };
        let recorded = Recorded {
            tree: vec![row(0), row(5), row(9)],
            portraits: vec![portrait(0, 0), portrait(0, 2), portrait(9, 0)],
            ..Recorded::default()
        };
        let cell = Portrayed { point: vec!["a".into()], seed: 3, digest: "d".into() };
        let taken = TreeOverTime::of(cell.clone(), &recorded).unwrap();
        assert_eq!(taken.tree, [row(0), row(9)], "moments without a portrait are left out");
        taken.write(study.path()).unwrap();
        let other = TreeOverTime { cell: Portrayed { seed: 4, ..cell.clone() }, ..taken };
        other.write(study.path()).unwrap();
        assert_eq!(std::fs::read_dir(study.path()).unwrap().count(), 1);
        let row = |seed| CellRow { seed, point: vec!["a".into()], digest: "d".into(), ..EMPTY };
        let read = |rows: &[CellRow]| TreeOverTime::read(study.path(), rows).unwrap();
        assert_eq!(read(&[row(3), row(4)]), Some(other));
        assert_eq!((read(&[row(3)]), read(&[])), (None, None), "of a cell that is not there");
        TreeOverTime::remove(study.path()).unwrap();
        TreeOverTime::remove(study.path()).unwrap();
        assert_eq!(read(&[row(4)]), None);
        assert_eq!(TreeOverTime::of(cell, &Recorded::default()), None);
    }
}
