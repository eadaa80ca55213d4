using System.Globalization;
using System.Text.Json;
using Dori.Audit;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Mitigation;
using Dori.Pictures;
using Dori.Search;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Locality;

/// <summary>
/// The causal part of the third test, picture by picture: prune for one trigger, and see which others still work; prune for more and more,
/// and search anew.
/// </summary>
/// <param name="model">Pruned meanwhile, and itself again afterwards: one thread at a time.</param>
internal sealed class WeightTransfer(DiffusionModel model, ICopyDetector detector, PictureSet set, AuditOptions options,
    GenerationOptions generation, WeightSpaceOptions weights, string folder)
{
    private const int OrdinaryPictures = 16, OrdinaryDraws = 4;

    internal static TransferRates? Rates(IReadOnlyList<WeightPicture> pictures, double threshold)
    {
        var own = new List<bool>();
        var other = new List<bool>();
        var none = new List<bool>();
        int triggers = 0;
        foreach (WeightPicture p in pictures)
            for (int j = 0; j < p.Triggers.Count; j++)
            {
                if (!(p.Unpruned[j] > threshold)) continue; // it must work before pruning for its silence to mean anything
                triggers++;
                for (int i = 0; i < p.Transfer.Count; i++) (i == j ? own : other).Add(p.Transfer[i][j] > threshold);
                none.AddRange(p.Null.Select(row => row[j] > threshold));
            }
        if (other.Count == 0) return null;
        Rate Of(List<bool> back)
        {
            double share = back.Count == 0 ? 0 : back.Average(b => b ? 1.0 : 0);
            Rate interval = Statistics.Share(back.Count == 0 ? 0 : (int)Math.Round(share * triggers), back.Count == 0 ? 0 : triggers);
            return new Rate(share, back.Count(b => b), interval.Low, interval.High);
        }
        return new TransferRates(Of(own), own.Count, Of(other), other.Count, Of(none), none.Count);
    }

    public WeightPicture Run(WeightMarker marker, SearchedPicture picture, int[] triggers, IReadOnlyList<WeightMask> masks,
        IReadOnlyList<WeightMask> nulls, Action<double> progress, CancellationToken cancellation)
    {
        string path = Path.Combine(folder, $"{marker.Method}-{picture.Item.Id}.json");
        string settings =
            $"{marker.Settings}; triggers {string.Join(' ', triggers)}; {nulls.Count} null captions; {weights.Generations} generations; "
            + $"threshold {options.Threshold.ToString(CultureInfo.InvariantCulture)}"
            + (options.Mirror ? "; mirror images" : "");
        if (File.Exists(path) && InputFile.ReadJson(path, InputKind.Record, LocalityJson.Default.WeightPicture) is var known
            && known.Settings == settings) return known;

        using var scope = NewDisposeScope();
        Tensor originals = picture.Item.Originals(model.PictureSize), references = References(originals), targets = model.Encode(originals);
        Conditioning yNull = model.EmbedNothing();
        Tensor noise =
            Generation.Noise(model, RandomSource.For("locality transfer", picture.Item.Id, $"{options.Seed}"), weights.Generations);
        double Best(Conditioning y, Tensor z)
        {
            using var inner = NewDisposeScope();
            Tensor pictures = Generation.Pictures(model, y, yNull, z, generation, cancellation);
            return Similarity.ToReferences(detector.Describe(pictures), references).Max();
        }
        double[] All() => [.. triggers.Select(k =>
        {
            using Conditioning y = picture.Ends.Narrow(k, 1);
            return Best(y.To(model.Device), noise);
        })];
        int done = 0, work = 1 + masks.Count + nulls.Count + Counts(triggers.Length).Length * 4;
        IReadOnlyList<double> Pruned(WeightMask mask)
        {
            progress((double)done++ / work);
            using IDisposable pruned = mask.PruneForNow(model.UNet);
            return All();
        }
        double[] unpruned = All();
        IReadOnlyList<double>[] transfer = [.. masks.Select(Pruned)], none = [.. nulls.Select(Pruned)];

        double loss = OrdinaryLoss();
        long size = masks[0].Layers.Sum(l => (long)l.Rows * l.Columns);
        var unions = new List<UnionStep>();
        foreach (int count in Counts(triggers.Length))
        {
            WeightMask union = WeightMask.Union([.. masks.Take(count)]);
            using IDisposable pruned = union.PruneForNow(model.UNet);
            (int searches, double similarity) = SearchAnew(marker.Method, picture.Item, count, targets, Best, cancellation);
            unions.Add(
                new UnionStep(count, union.Count, (double)union.Count / size, similarity > options.Threshold, searches, similarity,
                OrdinaryLoss() / loss));
            progress((double)(done += 4) / work);
            if (!unions[^1].Found) break;
        }
        var result =
            new WeightPicture { Method = marker.Method, Item = picture.Item.Id, Settings = settings, Triggers = triggers,
            Unpruned = unpruned, Transfer = transfer, Null = none, Unions = unions };
        AtomicFile.MakeFolder(folder);
        AtomicFile.WriteText(path, JsonSerializer.Serialize(result, LocalityJson.Default.WeightPicture) + "\n");
        return result;
    }

    /// <summary>Of the pictures, and of their mirror images where those count.</summary>
    private Tensor References(Tensor originals) =>
        options.Mirror ? cat([detector.Describe(originals), detector.Describe(originals.flip(3))], 0) : detector.Describe(originals);

    /// <summary>1, 2, 4, ... and all.</summary>
    private static int[] Counts(int triggers) =>
        [.. Enumerable.Range(0, 31).Select(k => 1 << k).TakeWhile(count => count < triggers), triggers];

    /// <summary>From N(0, I), and from the caption where that finds nothing.</summary>
    private (int Searches, double Similarity) SearchAnew(string method, PictureItem item, int count, Tensor targets,
        Func<Conditioning, Tensor, double> best, CancellationToken cancellation)
    {
        SearchOptions search = options.SearchOptions with { SnapshotSteps = [options.Steps] };
        double similarity = -1;
        for (int n = 0; n < 2; n++)
        {
            using var scope = NewDisposeScope();
            RandomSource random = RandomSource.For("locality union", method, item.Id, $"{count}", $"{options.Seed}").Derive("search", n);
            Conditioning start = n == 0 ? model.RandomConditioning(random.Derive("start")) : model.Embed(item.Caption);
            using SearchResult found = new DoriSearch(search).Run(model, targets, start, random, cancellation: cancellation);
            similarity = Math.Max(similarity, best(found.Snapshots[^1].Y, Generation.Noise(model, random, options.Generations)));
            if (similarity > options.Threshold) return (n + 1, similarity);
        }
        return (2, similarity);
    }

    /// <summary>
    /// Mean denoising loss on pictures that are not audited (on all others where there are none), under their captions, with draws that
    /// never change.
    /// </summary>
    private double OrdinaryLoss()
    {
        PictureItem[] ordinary = [.. set.Items.Where(item => item.Role == PictureRole.Control).Take(OrdinaryPictures)];
        if (ordinary.Length == 0) ordinary = [.. set.Items.Take(OrdinaryPictures)];
        double sum = 0;
        foreach (PictureItem item in ordinary)
        {
            using var scope = NewDisposeScope();
            using var noGrad = no_grad();
            RandomSource random = RandomSource.For("locality loss", item.Id);
            Tensor z0 = model.Encode(item.Originals(model.PictureSize)).narrow(0, 0, 1).expand(OrdinaryDraws, -1, -1, -1);
            Tensor eps = random.Normal([OrdinaryDraws, .. model.LatentShape]).to(model.Device),
                t = random.Integers(model.Schedule.NumTrainTimesteps, OrdinaryDraws).to(model.Device);
            Tensor output = model.Predict(model.Schedule.AddNoise(z0, eps, t), t, model.Embed(item.Caption));
            sum += nn.functional.mse_loss(output, model.Schedule.Target(z0, eps, t)).item<float>();
        }
        return sum / ordinary.Length;
    }
}
