using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Dori.Audit;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Mitigation;
using Dori.Search;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Locality;

/// <summary>
/// Third test of method.md section 6: what the pruning methods mark for each trigger, whether pruning for one silences the others, and how many must be
/// pruned for before the search finds nothing. The model is changed meanwhile, and is itself again afterwards: one thread at a time.
/// </summary>
/// <param name="options">Of the searches, which those after pruning repeat.</param>
/// <param name="folder">For marks and finished pictures, a file each: what is there is not computed again.</param>
public sealed class WeightSpaceTest(DiffusionModel model, ICopyDetector detector, PictureSet set, AuditOptions options, WeightSpaceOptions weights, string folder)
{
    private const int OrdinaryPictures = 16, OrdinaryDraws = 4, FewestHeldOut = 2;

    private readonly GenerationOptions _generation = new()
    {
        Guidance = options.Guidance,
        Scheduler = options.Sampler is { } name ? Sampler.WithSampler(model.Scheduler, name) : model.Scheduler,
        Steps = options.SamplerSteps,
        Batch = options.GenerationBatch,
    };

    /// <param name="captions">Of different audited pictures.</param>
    /// <param name="progress">Told what is worked on and the share that is done.</param>
    public WeightSpace Run(IReadOnlyList<SearchedPicture> pictures, IReadOnlyList<string> captions, Action<string, double>? progress = null, CancellationToken cancellation = default)
    {
        SearchedPicture[] tested = [.. pictures.Where(p => p.Triggers.Length >= 2)];
        string[] heldOut = [.. set.Items.Where(item => item.Role == "control" && item.Caption.Length > 0).Select(item => item.Caption).Distinct()];
        var methods = new List<WeightMethod>();
        if (tested.Length > 0)
            foreach (string method in weights.Methods)
            {
                if (method == "NeMo" && heldOut.Length < FewestHeldOut) throw new DoriException($"locality: NeMo needs captions of {FewestHeldOut} pictures that are not memorized, and the set has {heldOut.Length} controls with a caption; add controls, or leave the weights out with --no-weights");
                using WeightMarker marker = method == "NeMo" ? WeightMarker.Nemo(model, heldOut, options.Seed, folder) : WeightMarker.Wanda(model, _generation, weights.Sparsity, options.Seed, folder);
                methods.Add(Run(marker, tested, [.. captions.Take(weights.Captions)], progress, cancellation));
            }
        return new WeightSpace { Methods = methods, Verdict = LocalityVerdicts.Weight(methods) };
    }

    private WeightMethod Run(WeightMarker marker, SearchedPicture[] pictures, string[] captions, Action<string, double>? progress, CancellationToken cancellation)
    {
        int[][] groups = [.. pictures.Select(p => p.Triggers.Take(weights.Triggers).ToArray())];
        var masks = new List<WeightMask>();
        int all = groups.Sum(g => g.Length) + captions.Length;
        void Marked(WeightMask mask)
        {
            masks.Add(mask);
            progress?.Invoke($"what {marker.Method} marks", (double)masks.Count / all);
        }
        for (int p = 0; p < pictures.Length; p++)
            foreach (int k in groups[p])
            {
                using Tensor y = pictures[p].Ends.narrow(0, k, 1);
                Marked(marker.Mark(pictures[p].Units[k].Id, y, cancellation));
            }
        foreach (string caption in captions)
        {
            using Tensor y = model.Embed(caption);
            Marked(marker.Mark("caption-" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(caption)))[..12], y, cancellation));
        }
        int at = 0;
        int[][] places = [.. groups.Select(g => Enumerable.Range((at += g.Length) - g.Length, g.Length).ToArray())];
        int[] spoken = [.. Enumerable.Range(at, captions.Length)];
        WeightPicture[] each = [.. pictures.Select((p, i) => Picture(marker, p, groups[i], [.. places[i].Select(m => masks[m])],
            [.. spoken.Where(m => captions[m - at] != p.Item.Caption).Take(weights.NullCaptions).Select(m => masks[m])], share => progress?.Invoke($"pruning by {marker.Method}", (i + share) / pictures.Length), cancellation))];
        return new WeightMethod
        {
            Method = marker.Method,
            Captions = captions.Length,
            Layers = Layers(marker.Method, masks, places, spoken),
            Transfer = Rates(each, options.Threshold),
            Pictures = each,
        };
    }

    private WeightLayer[] Layers(string method, IReadOnlyList<WeightMask> masks, int[][] places, int[] spoken) => [.. masks[0].Layers.Select((layer, l) =>
    {
        var agreement = new AgreementMatrix(masks.Count, (i, j) => masks[i].Layers[l].Agreement(masks[j].Layers[l]) is { BothEmpty: false } agreed ? agreed.Value : null);
        (double? Mean, double Empty)[] own = [.. places.Select(agreement.Within)];
        double[] means = [.. own.Select(o => o.Mean).OfType<double>()];
        (double? captions, double captionsEmpty) = agreement.Within(spoken);
        var compared = agreement.Compare(places, spoken, RandomSource.For("locality weights", method, layer.Layer, $"{options.Seed}").Next);
        return new WeightLayer
        {
            Layer = layer.Layer,
            Weights = (long)layer.Rows * layer.Columns,
            Marked = places.SelectMany(g => g).Average(m => masks[m].Layers[l].Count),
            Triggers = means.Length == 0 ? null : means.Average(),
            TriggersEmpty = own.Average(o => o.Empty),
            Captions = captions,
            CaptionsEmpty = captionsEmpty,
            OtherTriggers = agreement.Between(places).Mean,
            Difference = compared?.Difference,
            PValue = compared?.PValue,
        };
    })];

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
            Rate interval = Statistics.Wilson(back.Count == 0 ? 0 : (int)Math.Round(share * triggers), back.Count == 0 ? 0 : triggers);
            return new Rate(share, back.Count(b => b), interval.Low, interval.High);
        }
        return new TransferRates(Of(own), own.Count, Of(other), other.Count, Of(none), none.Count);
    }

    private WeightPicture Picture(WeightMarker marker, SearchedPicture picture, int[] triggers, IReadOnlyList<WeightMask> masks, IReadOnlyList<WeightMask> nulls, Action<double> progress, CancellationToken cancellation)
    {
        string path = Path.Combine(folder, $"{marker.Method}-{picture.Item.Id}.json");
        string settings = $"{marker.Settings}; triggers {string.Join(' ', triggers)}; {nulls.Count} null captions; {weights.Generations} generations; threshold {options.Threshold.ToString(System.Globalization.CultureInfo.InvariantCulture)}";
        if (File.Exists(path) && JsonSerializer.Deserialize(File.ReadAllText(path), LocalityJson.Default.WeightPicture) is { } known && known.Settings == settings) return known;

        using var scope = NewDisposeScope();
        Tensor originals = UnitRunner.Originals(model, picture.Item), references = detector.Describe(originals), targets = model.Encode(originals), yNull = model.Embed("");
        Tensor noise = Generation.Noise(model, RandomSource.For("locality transfer", picture.Item.Id, $"{options.Seed}"), weights.Generations);
        double Best(Tensor y, Tensor z)
        {
            using var inner = NewDisposeScope();
            Tensor pictures = Generation.Pictures(model, y, yNull, z, _generation, cancellation);
            return Similarity.ToReferences(detector.Describe(pictures), references).Max();
        }
        double[] All() => [.. triggers.Select(k =>
        {
            using Tensor y = picture.Ends.narrow(0, k, 1);
            return Best(y.to(model.Device), noise);
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
            unions.Add(new UnionStep(count, union.Count, (double)union.Count / size, similarity > options.Threshold, searches, similarity, OrdinaryLoss() / loss));
            progress((double)(done += 4) / work);
            if (!unions[^1].Found) break;
        }
        var result = new WeightPicture { Method = marker.Method, Item = picture.Item.Id, Settings = settings, Triggers = triggers, Unpruned = unpruned, Transfer = transfer, Null = none, Unions = unions };
        Directory.CreateDirectory(folder);
        AtomicFile.WriteText(path, JsonSerializer.Serialize(result, LocalityJson.Default.WeightPicture) + "\n");
        return result;
    }

    /// <summary>1, 2, 4, ... and all.</summary>
    private static int[] Counts(int triggers) => [.. Enumerable.Range(0, 31).Select(k => 1 << k).TakeWhile(count => count < triggers), triggers];

    /// <summary>From N(0, I), and from the caption where that finds nothing.</summary>
    private (int Searches, double Similarity) SearchAnew(string method, PictureItem item, int count, Tensor targets, Func<Tensor, Tensor, double> best, CancellationToken cancellation)
    {
        var search = new SearchOptions { Steps = options.Steps, Batch = options.SearchBatch, MicroBatch = options.MicroBatch, LearningRate = options.LearningRate, SnapshotSteps = [options.Steps] };
        double similarity = -1;
        for (int n = 0; n < 2; n++)
        {
            using var scope = NewDisposeScope();
            RandomSource random = RandomSource.For("locality union", method, item.Id, $"{count}", $"{options.Seed}").Derive("search", n);
            Tensor start = n == 0 ? random.Derive("start").Normal(model.EmbeddingShape) : model.Embed(item.Caption);
            using SearchResult found = DoriSearch.Run(model, targets, start, search, random, cancellation: cancellation);
            similarity = Math.Max(similarity, best(found.Snapshots[^1].Y, Generation.Noise(model, random, options.Generations)));
            if (similarity > options.Threshold) return (n + 1, similarity);
        }
        return (2, similarity);
    }

    /// <summary>Mean denoising loss on pictures that are not audited (on all others where there are none), under their captions, with draws that never change.</summary>
    private double OrdinaryLoss()
    {
        PictureItem[] ordinary = [.. set.Items.Where(item => item.Role == "control").Take(OrdinaryPictures)];
        if (ordinary.Length == 0) ordinary = [.. set.Items.Take(OrdinaryPictures)];
        double sum = 0;
        foreach (PictureItem item in ordinary)
        {
            using var scope = NewDisposeScope();
            using var noGrad = no_grad();
            RandomSource random = RandomSource.For("locality loss", item.Id);
            Tensor z0 = model.Encode(UnitRunner.Originals(model, item)).narrow(0, 0, 1).expand(OrdinaryDraws, -1, -1, -1);
            Tensor eps = random.Normal([OrdinaryDraws, .. model.LatentShape]).to(model.Device), t = random.Integers(model.Schedule.NumTrainTimesteps, OrdinaryDraws).to(model.Device);
            Tensor output = model.Predict(model.Schedule.AddNoise(z0, eps, t), t, model.Embed(item.Caption));
            sum += nn.functional.mse_loss(output, model.Schedule.Target(z0, eps, t)).item<float>();
        }
        return sum / ordinary.Length;
    }
}
