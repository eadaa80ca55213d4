using Dori.Quality;

namespace Dori.Audit;

/// <summary>One model's part in a comparison, as its audit left it.</summary>
/// <param name="Name">Unique in the comparison; may be the name of a folder.</param>
/// <param name="Audit">Its finished audit.</param>
/// <param name="Quality">What its ordinary pictures are worth; null where that was not taken.</param>
public sealed record ComparedRun(string Name, RunFolder Audit, EvaluatedModel? Quality = null)
{
    internal AuditedModel Read()
    {
        RunUnits units = Audit.ReadUnits();
        return new AuditedModel(Name, Audit.Summarize(units), units.Records, Quality?.Summary, Quality?.Samples);
    }
}
