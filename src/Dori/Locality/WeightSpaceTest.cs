using System.Collections.Concurrent;
using Dori.Audit;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Mitigation;
using Dori.Pictures;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Locality;

/// <summary>
/// Third test of method.md section 6: what the pruning methods mark for each trigger, whether pruning for one silences the others, and how
/// many must be pruned for before the search finds nothing.
/// </summary>
/// <param name="options">Of the searches, which those after pruning repeat.</param>
/// <param name="workers">
/// Each works on a copy of the UNet of its own but the first, whose model is changed meanwhile and is itself again afterwards.
/// </param>
/// <param name="folder">For marks and finished pictures, a file each: what is there is not computed again.</param>
internal sealed class WeightSpaceTest(DiffusionModel model, ICopyDetector detector, PictureSet set, AuditOptions options,
    WeightSpaceOptions weights, Workers workers, string folder)
{
    private readonly GenerationOptions _generation = options.GenerationWith(model);

    /// <param name="captions">Of different audited pictures.</param>
    /// <param name="progress">Told what is worked on and the share that is done, by one thread at a time.</param>
    public WeightSpace Run(IReadOnlyList<SearchedPicture> pictures, IReadOnlyList<string> captions,
        Action<string, double>? progress = null, CancellationToken cancellation = default)
    {
        SearchedPicture[] tested = [.. pictures.Where(p => p.Triggers.Length >= 2)];
        string[] heldOut = [.. set.Items.Where(item => item.Role == PictureRole.Control && item.Caption.Length > 0).Select(item =>
            item.Caption).Distinct()];
        var methods = new List<WeightMethod>();
        if (tested.Length > 0)
            foreach (MarkingKind kind in weights.Methods.Select(name => Markings.All.First(kind => kind.Name == name)))
            {
                if (heldOut.Length < kind.FewestHeldOut)
                    throw new DoriException($"locality: {kind.Name} needs captions of {kind.FewestHeldOut} pictures that are not "
                        + $"memorized, and the set has "
                        + $"{heldOut.Length} controls with a caption; add controls, or leave the weights out with `NoWeights`");
                var inputs = new MarkingInputs(_generation, weights.Sparsity, heldOut, options.Seed);
                using var pool = new Pool(model, workers.Count, own => new WeightMarker(kind.For(own, inputs), folder));
                methods.Add(Run(kind.Name, pool, tested, [.. captions.Take(weights.Captions)], progress, cancellation));
            }
        return new WeightSpace { Methods = methods, Verdict = LocalityVerdicts.Weight(methods) };
    }

    private WeightMethod Run(string method, Pool pool, SearchedPicture[] pictures, string[] captions, Action<string, double>? progress,
        CancellationToken cancellation)
    {
        int[][] groups = [.. pictures.Select(p => p.Triggers.Take(weights.Triggers).ToArray())];
        (string Key, Func<DiffusionModel, Conditioning> Y)[] embeddings =
        [
            .. pictures.Zip(groups).SelectMany(pair => pair.Second.Select(k => (pair.First.Units[k].Id,
                (Func<DiffusionModel, Conditioning>)(own => pair.First.Ends.Narrow(k, 1).To(own.Device))))),
            .. captions.Select(caption =>
                ("caption-" + Sha256Text.Short(caption), (Func<DiffusionModel, Conditioning>)(own => own.Embed(caption)))),
        ];
        var masks = new List<WeightMask>();
        workers.Run(embeddings.Length, m => pool.Use((own, marker) =>
        {
            using Conditioning y = embeddings[m].Y(own);
            return marker.Mark(embeddings[m].Key, y, cancellation);
        }), mask =>
        {
            masks.Add(mask);
            progress?.Invoke($"what {method} marks", (double)masks.Count / embeddings.Length);
        }, cancellation);

        int at = 0;
        int[][] places = [.. groups.Select(g => Enumerable.Range((at += g.Length) - g.Length, g.Length).ToArray())];
        int[] spoken = [.. Enumerable.Range(at, captions.Length)];
        var each = new List<WeightPicture>();
        var done = new double[pictures.Length];
        workers.Run(pictures.Length, i =>
            pool.Use((own, marker) =>
            new WeightTransfer(own, detector, set, options, _generation, weights, folder).Run(marker, pictures[i], groups[i],
            [.. places[i].Select(m => masks[m])],
            [.. spoken.Where(m => captions[m - at] != pictures[i].Item.Caption).Take(weights.NullCaptions).Select(m => masks[m])], share =>
                Report(i, share), cancellation)), each.Add, cancellation);
        return new WeightMethod
        {
            Method = method,
            Captions = captions.Length,
            Layers = Layers(method, masks, places, spoken),
            Transfer = WeightTransfer.Rates(each, options.Threshold),
            Pictures = each,
        };

        void Report(int picture, double share)
        {
            lock (done)
            {
                done[picture] = share;
                progress?.Invoke($"pruning by {method}", done.Average());
            }
        }
    }

    private WeightLayer[] Layers(string method, IReadOnlyList<WeightMask> masks, int[][] places, int[] spoken) =>
        [.. masks[0].Layers.Select((layer, l) =>
    {
        var agreement = new AgreementMatrix(masks.Count, (i, j) =>
            masks[i].Layers[l].Agreement(masks[j].Layers[l]) is { BothEmpty: false } agreed ? agreed.Value : null);
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

    /// <summary>Models to prune, each with its marker, lent to one worker at a time.</summary>
    private sealed class Pool : IDisposable
    {
        private readonly ConcurrentBag<(DiffusionModel Model, WeightMarker Marker)> _free = [];
        private readonly List<DiffusionModel> _copies = [];
        private readonly List<WeightMarker> _markers = [];

        public Pool(DiffusionModel model, int count, Func<DiffusionModel, WeightMarker> marker)
        {
            for (int i = 0; i < count; i++)
            {
                DiffusionModel own = model;
                if (i > 0) _copies.Add(own = model.WithUNetCopy());
                _markers.Add(marker(own));
                _free.Add((own, _markers[^1]));
            }
        }

        public T Use<T>(Func<DiffusionModel, WeightMarker, T> work)
        {
            if (!_free.TryTake(out (DiffusionModel Model,
                WeightMarker Marker) own)) throw new InvalidOperationException("more workers than models");
            try
            {
                return work(own.Model, own.Marker);
            }
            finally
            {
                _free.Add(own);
            }
        }

        public void Dispose()
        {
            foreach (IDisposable own in _markers.Concat<IDisposable>(_copies)) own.Dispose();
        }
    }
}
