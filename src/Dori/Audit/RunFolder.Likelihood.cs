using System.Text.Json;
using Dori.Pictures;
namespace Dori.Audit;

public sealed partial class RunFolder
{
    internal const string Likelihoods = "likelihood";

    private static string NameOfLikelihood(PictureItem item) => $"{Likelihoods}/{item.Id}.json";

    /// <summary>An item's denoising errors; null where there are none, or none that are this run's.</summary>
    internal LikelihoodRecord? FindLikelihood(PictureItem item)
    {
        try
        {
            return ReadPart(NameOfLikelihood(item)) is { } json
                && StrictJson.Read(item.Id, json, AuditJson.Default.LikelihoodRecord, InputKind.UnitRecord.Name) is var record
                && record.Schema == LikelihoodRecord.Current && record.Item == item.Id && record.Key == UnitKey.OfLikelihood(Manifest, item)
                && record.Errors.Count == Likelihood.Draws && record.Errors.All(error => error >= 0 && double.IsFinite(error))
                ? record : null;
        }
        catch (DoriException)
        {
            return null;
        }
    }

    internal void Write(PictureItem item, LikelihoodRecord record)
    {
        AtomicFile.MakeFolder(System.IO.Path.Combine(Path, Likelihoods));
        AtomicFile.WriteText(System.IO.Path.Combine(Path, NameOfLikelihood(item)),
            JsonSerializer.Serialize(record, AuditJson.Default.LikelihoodRecord) + "\n");
    }

    /// <summary>What training added of each item, where both models' errors are there.</summary>
    internal IReadOnlyDictionary<string, LikelihoodGain> ReadGains()
    {
        if (Manifest.Of(Beside.Reference) is not { } manifest) return new Dictionary<string, LikelihoodGain>();
        var reference = new RunFolder(PathOf(Beside.Reference), manifest);
        return Manifest.Pictures.Items.Select(item => item.ToPictureItem())
            .Select(item => (item.Id, Gain: FindLikelihood(item) is { } mine && reference.FindLikelihood(item) is { } theirs
                ? LikelihoodGain.Of(mine, theirs) : null))
            .Where(pair => pair.Gain is not null).ToDictionary(pair => pair.Id, pair => pair.Gain!);
    }

    /// <summary>Whether the reference's errors are there for the items of some units.</summary>
    internal bool HasLikelihoods(IReadOnlyList<AuditUnit> units)
    {
        var reference = new RunFolder(PathOf(Beside.Reference), Manifest.Of(Beside.Reference)!);
        return units.Select(unit => unit.Item).DistinctBy(item => item.Id).All(item => reference.FindLikelihood(item) is not null);
    }

    private void TakeLikelihoods(RunFolder other) =>
        Copy(other, [.. Manifest.Pictures.Items.Select(item => item.ToPictureItem())
            .Where(item => FindLikelihood(item) is null && other.FindLikelihood(item) is not null).Select(NameOfLikelihood)]);
}
