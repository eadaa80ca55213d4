using System.Text.Json.Serialization;

namespace Dori.Audit;

/// <summary>What a reference model says of a picture that the audited model gives back.</summary>
[JsonConverter(typeof(WordConverter<ReferenceAnswer>))]
internal enum ReferenceAnswer
{
    /// <summary>Nothing: the audited model does not give it back.</summary>
    None,
    /// <summary>The reference does not, and hardly any control differs as much between the two.</summary>
    ThisModelAlone,
    /// <summary>The reference gives it back too: the search, or what both have learned, suffices.</summary>
    Both,
    /// <summary>Neither: too few controls, too small a difference, or the reference's answer is not complete.</summary>
    Undecided,
}

/// <summary>What the reference gives back of one item, and what follows.</summary>
/// <param name="Similarity">Best over all generations of all starts and snapshots, prompt included; -1 where no unit is there.</param>
/// <param name="Start">The start that gave it; empty where no unit is there.</param>
/// <param name="Step">Search steps after which it came; 0 for the prompt.</param>
/// <param name="StepsToFirstCopy">Fewest search steps after which a generation passes the threshold; null where none does.</param>
/// <param name="Difference">D: the audited model's best similarity less this one; null where one of the two is not complete.</param>
/// <param name="PValue">Conformal, of D among the controls' D; null for controls and where fewer than 19 of them have one.</param>
/// <param name="Pair">The reference stays below the threshold and the audited model does not: a fact, whatever is judged.</param>
/// <param name="GainBits">log2 of the likelihood that training added, given the caption; null where it was not taken.</param>
/// <param name="GainError">Its standard error.</param>
internal sealed record ReferencePicture(string Item, double Similarity, AuditStart? Start, int Step, int? StepsToFirstCopy,
    double? Difference, double? PValue, ReferenceAnswer Answer, bool Pair, double? GainBits, double? GainError);
