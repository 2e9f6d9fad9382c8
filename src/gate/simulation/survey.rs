//! Reconciliation in a history: the provider's list as it was at one moment, compared one booking after the
//! other while everything else goes on.

use super::schedule::Simulation;
use super::stage::{SETTLE_MS, SOURCE, noon};
use crate::domain::clock::Clock;
use crate::gate::reconcile::{self, Asked, Found};

impl Simulation {
    /// Some instance asks for the list.
    pub(super) fn survey(&mut self) {
        let asked_at = self.clock.now();
        self.listed = self
            .world
            .list()
            .into_iter()
            .map(|reading| Asked {
                reading,
                at_home: true,
                asked_at,
                met_at: noon(),
            })
            .collect();
        self.world.tell("the provider lists what it has");
    }

    /// The next one of the list is compared; whether it was something else than was known.
    pub(super) async fn compare(&mut self) -> bool {
        let asked = self.listed.remove(0);
        let name = self.world.name(&asked.reading.uid);
        let gate = &self.workers[0].gate;
        let source = &gate.sources[SOURCE];
        let found = reconcile::file(gate, source, asked).await.unwrap();
        self.world.tell(format!("{name} in the list: {found:?}"));
        self.quiet &= found == Found::Same;
        found != Found::Same
    }

    /// Long after everything, all is compared once more; whether anything was something else.
    pub(super) async fn differs(&mut self) -> bool {
        self.clock.advance_ms(SETTLE_MS);
        self.survey();
        let mut differs = false;
        while !self.listed.is_empty() {
            differs |= self.compare().await;
        }
        differs
    }
}
