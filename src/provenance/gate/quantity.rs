//! How much a fact speaks of, in base units.

use super::{
    super::{
        amount::{Amount, Unit},
        filing::{
            fact::{Leg, Role, Stated},
            span::{LotKey, Span},
        },
    },
    Gate,
    moments::Moment,
};

impl Gate<'_> {
    /// A leg's quantity in base units; of a run, of all its members within `span`.
    pub(in crate::provenance) fn amount(&self, leg: &Leg, span: Span) -> Option<Amount> {
        if leg.serial {
            return leg
                .span
                .overlap(span)
                .map(|common| Amount::pieces(common.count()));
        }
        match leg.quantity {
            Stated::As { value, unit } => Some(Amount::of(value, self.symbols.name(unit))),
            Stated::Not | Stated::Sealed if self.is_serial(leg.span.key()) => Some(Amount::pieces(1)),
            Stated::Not | Stated::Sealed => None,
        }
    }

    /// Whether an identifier names one thing: it is a GS1 serial, or came in a serial list or was assembled, as
    /// somebody with standing says.
    pub(in crate::provenance) fn is_serial(&self, key: LotKey) -> bool {
        if self.symbols.name(key.stem).contains("/21/") {
            return true;
        }
        let mut says_so = Vec::new();
        self.tracks.visit(key.into(), &mut |_, touch| {
            let leg = self.leg(touch);
            if leg.serial || leg.role == Role::Parent {
                says_so.push(touch.fact);
            }
        });
        !says_so.is_empty() && {
            let standing = self.standing(key);
            says_so.iter().any(|fact| standing.admits(*fact))
        }
    }

    /// How much of the lot a moment moves, makes or uses: what the fact says; through a container, what was
    /// said when it was packed.
    pub(in crate::provenance) fn moment_amount(&self, moment: &Moment) -> Option<Amount> {
        let leg = match (moment.via, moment.packed) {
            (Some(_), Some(packed)) => self.leg(packed),
            _ => self.leg(moment.touch),
        };
        match moment.member {
            Some(members) => Some(Amount::pieces(members.count())),
            // A class lot stands in a fact by its name alone, beside the serials that are its members.
            None if leg.role == Role::Class => None,
            None if leg.serial => Some(Amount::pieces(1)),
            None => self.amount(leg, leg.span),
        }
    }

    /// The mass that a moment's item states beside its quantity.
    pub(in crate::provenance) fn moment_mass(&self, moment: &Moment) -> Option<Amount> {
        let leg = match (moment.via, moment.packed) {
            (Some(_), Some(packed)) => self.leg(packed),
            _ => self.leg(moment.touch),
        };
        match leg.mass {
            Stated::As { value, unit } if moment.member.is_none() => {
                Some(Amount::of(value, self.symbols.name(unit)))
            }
            _ => None,
        }
    }

    /// The quantity that a leg states, if it is pieces.
    pub(in crate::provenance) fn pieces_of(&self, leg: &Leg) -> Option<Amount> {
        self.amount(leg, leg.span)
            .filter(|amount| amount.unit == Unit::Pieces)
    }
}
