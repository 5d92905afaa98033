//! The machine this program runs on.

use super::{Answer, Errand, Here, Keeper, Question, Side, SideError, Stage, Taken, answer};
use calma_host::ground::boot;
use calma_host::{Host as _, Live};
use calma_record::Text;
use calma_record::step::{Refusal, Step, Undo};

/// This machine.
pub struct LocalSide {
    host: Live,
    boot: Text,
    name: Text,
}

impl LocalSide {
    /// This machine; nothing is taken yet.
    pub fn new() -> Self {
        let host = Live::new();
        Self {
            boot: boot(),
            name: host.kernel().map(|kernel| kernel.identity().host).unwrap_or_default(),
            host,
        }
    }
}

impl Default for LocalSide {
    fn default() -> Self {
        Self::new()
    }
}

impl Side for LocalSide {
    fn boot(&self) -> &Text {
        &self.boot
    }

    fn name(&self) -> &Text {
        &self.name
    }

    fn ask(&self, question: Question) -> Result<Answer, SideError> {
        Ok(answer(&self.host, question))
    }

    fn take<'s>(&'s self, own: &Text) -> Result<Box<dyn Taken + 's>, SideError> {
        Ok(Box::new(Here::take(vec![own.clone()])?))
    }
}

impl Taken for Here {
    fn even_databases(&mut self) -> Result<(), SideError> {
        Here::even_databases(self);
        Ok(())
    }

    fn together(&self) -> bool {
        true
    }

    fn prepare(&self, steps: &[&Step], keeper: &dyn Keeper) -> Result<Vec<Result<Undo, Refusal>>, SideError> {
        Ok(self.prepare_all(steps, keeper))
    }

    fn go(
        &self,
        errands: Vec<Errand>,
        keeper: &dyn Keeper,
        tell: &mut dyn FnMut(Stage),
    ) -> Result<(), SideError> {
        Here::go(self, errands, keeper, tell)
    }
}
