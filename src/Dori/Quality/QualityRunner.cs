using Dori.Diffusion;
using Dori.Measures;
using Dori.Pictures;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Quality;

/// <summary>Draws the captions of a plan, describes the pictures, and takes the figures. Networks stay the caller's.</summary>
internal sealed class QualityRunner(DiffusionModel model, ICopyDetector detector, FeatureNetwork network, ClipScore clip,
    OrdinaryPictures ordinary, QualityPlan plan, QualityOptions options)
{
    private const int RealBatch = 50;

    /// <summary>What was read otherwise than it is written, or was lost on the way in: the summary's last warnings.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>Draws the chunks that the folder lacks, several at a time.</summary>
    /// <param name="workers">Each draws a chunk at a time.</param>
    /// <param name="report">Called from the workers with the chunks done so far and of all.</param>
    /// <exception cref="OperationCanceledException">Cancelled; what stands stays.</exception>
    public void Draw(QualityFolder folder, Workers workers, Action<int, int>? report = null, CancellationToken cancellation = default)
    {
        int[] open = [.. Enumerable.Range(0, plan.Chunks.Count).Where(chunk => !folder.Has(chunk))];
        int done = plan.Chunks.Count - open.Length;
        set_num_threads(workers.ThreadsEach);
        workers.Run(open.Length, (piece, stop) =>
        {
            DrawChunk(folder, open[piece], stop);
            report?.Invoke(Interlocked.Increment(ref done), plan.Chunks.Count);
        }, cancellation);
    }

    private void DrawChunk(QualityFolder folder, int chunk, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        IReadOnlyList<int> indices = plan.Chunks[chunk];
        (int Index, int Generation)[] jobs =
            [.. indices.SelectMany(index =>
            Enumerable.Range(0, plan.Diverse.Contains(index) ? options.DiversityGenerations : 1).Select(k => (index, k)))];
        Conditioning yNull = model.EmbedNothing();
        var embeddings = indices.ToDictionary(index => index, index => model.Embed(ordinary.Captions[index]));
        var generation = new GenerationOptions
        {
            Guidance = options.Guidance,
            Scheduler = model.SchedulerWith(options.Sampler),
            Steps = options.SamplerSteps,
            Batch = options.Chunk,
        };
        var pictures = new List<Tensor>();
        foreach ((int Index, int Generation)[] part in jobs.Chunk(options.Chunk))
        {
            Conditioning y = Conditioning.Cat([.. part.Select(job => embeddings[job.Index])]); // n rows: every latent its own caption
            Tensor noise = cat(part.Select(job => Noise(job.Index, job.Generation)).ToArray(), 0);
            pictures.Add(Generation.Pictures(model, y, yNull.Expand(part.Length), noise, generation, cancellation));
        }
        Tensor all = cat(pictures.ToArray(), 0); // (jobs, 3, S, S)
        int[] first = [.. Enumerable.Range(0, jobs.Length).Where(row => jobs[row].Generation == 0)];
        Tensor one = all.index_select(0, Rows(first).to(all.device));
        List<(string, Tensor)> tensors =
        [
            ("index", Rows(indices)),
            ("features", network.Describe(one).cpu()),
            ("clip", clip.EmbedPictures(one).cpu()),
        ];
        int[] diverse = [.. indices.Where(plan.Diverse.Contains)];
        if (diverse.Length > 0)
        {
            Tensor descriptors = detector.Describe(all).cpu();
            double[] diversity =
                [.. diverse.Select(index =>
                Similarity.Diversity(
                descriptors.index_select(0, Rows([.. Enumerable.Range(0, jobs.Length).Where(row => jobs[row].Index == index)]))))];
            tensors.AddRange([("diversity.index", Rows(diverse)), ("diversity", tensor(diversity))]);
        }
        folder.Write(chunk, tensors, [.. jobs.Select((job, row) => (job.Index, job.Generation, all[row]))]);
    }

    /// <summary>Depends on nothing but seed, caption and number: every model draws a caption from the same noise.</summary>
    private Tensor Noise(int index, int generation) =>
        RandomSource.For("quality", options.Seed.ToString()).Derive("caption", index).Derive("generation", generation)
            .Normal([1, .. model.LatentShape]);

    /// <summary>Figures from a folder that holds all chunks.</summary>
    /// <returns>The summary, and what it was taken from by set, for paired comparisons. The caller's dispose scope owns the
    /// tensors.</returns>
    public (QualitySummary Summary, IReadOnlyDictionary<string, QualitySamples> Samples) Take(QualityFolder folder,
        QualityManifest manifest)
    {
        using var scope = NewDisposeScope();
        var features = new Dictionary<int, Tensor>();
        var embedded = new Dictionary<int, Tensor>();
        var diversities = new Dictionary<int, double>();
        for (int chunk = 0; chunk < plan.Chunks.Count; chunk++)
        {
            IReadOnlyDictionary<string, Tensor> read = folder.Read(chunk);
            long[] indices = read["index"].data<long>().ToArray();
            for (int row = 0; row < indices.Length; row++)
                (features[(int)indices[row]], embedded[(int)indices[row]]) = (read["features"][row], read["clip"][row]);
            if (!read.TryGetValue("diversity", out Tensor? values)) continue;
            foreach ((long index, double value) in read["diversity.index"].data<long>().ToArray().Zip(values.data<double>().ToArray()))
                diversities[(int)index] = value;
        }
        var sets = new List<QualitySet>();
        var samples = new Dictionary<string, QualitySamples>();
        foreach ((string name, IReadOnlyList<int> indices) in new[] { ("ordinary", plan.Ordinary), ("related", plan.Related) })
        {
            if (indices.Count == 0) continue;
            (Tensor realFeatures, Tensor realEmbedded) = Real(indices);
            Tensor captions = clip.EmbedCaptions([.. indices.Select(index => ordinary.Captions[index])]);
            var sample = new QualitySamples(stack(indices.Select(index => features[index]).ToArray(), 0), realFeatures,
                ClipScore.Between(stack(indices.Select(index => embedded[index]).ToArray(), 0), captions),
                    ClipScore.Between(realEmbedded, captions),
                [.. indices.Take(options.DiversityCaptions).Select(index => diversities[index])]);
            QualityFigures figures =
                QualityFigures.Of(sample, RandomSource.For("quality bootstrap", name, options.Seed.ToString()).Next, options.Resamples);
            sets.Add(
                new QualitySet(name, figures, Floor(indices, realFeatures), indices,
                [.. sample.ClipScores.Select(score => Math.Round(score, 6))]));
            foreach (Tensor kept in new[] { sample.Features, sample.RealFeatures }) kept.MoveToOuterDisposeScope();
            samples[name] = sample;
        }
        var summary = new QualitySummary
        {
            Model = manifest.Model,
            Ordinary = manifest.Ordinary,
            FeatureNetwork = network.Name,
            Clip = clip.Name,
            CopyDetector = detector.Preset.Name,
            Options = options,
            Sets = sets,
            Warnings = [.. Warnings(sets), .. Notes],
        };
        folder.WriteSummary(summary);
        return (summary, samples);
    }

    private (Tensor Features, Tensor Clip) Real(IReadOnlyList<int> indices)
    {
        using var scope = NewDisposeScope();
        List<Tensor> features = [], embedded = [];
        foreach (int[] part in indices.Chunk(RealBatch))
        {
            Tensor pictures = stack(part.Select(index => ordinary.Picture(index, model.PictureSize)).ToArray(), 0);
            features.Add(network.Describe(pictures));
            embedded.Add(clip.EmbedPictures(pictures));
        }
        return (cat(features.ToArray(), 0).MoveToOuterDisposeScope(), cat(embedded.ToArray(), 0).MoveToOuterDisposeScope());
    }

    /// <summary>Other real pictures from the set's end, where no sample of it begins.</summary>
    private double? Floor(IReadOnlyList<int> indices, Tensor realFeatures)
    {
        var taken = indices.ToHashSet();
        int[] others = [.. Enumerable.Range(0, ordinary.Count).Reverse().Where(index => !taken.Contains(index)).Take(indices.Count)];
        return others.Length < indices.Count ? null : FrechetDistance.Between(Real(others).Features, realFeatures);
    }

    private IEnumerable<string> Warnings(List<QualitySet> sets)
    {
        int fewest = sets.Min(set => set.Indices.Count);
        if (fewest < 10 * network.Dimension)
            yield return $"Frechet distances of {fewest} pictures with {network.Dimension} values each are biased upwards: compare them "
                + $"only with figures of as many pictures, and with the floor that real pictures reach.";
        if (!network.Name.Contains("inception", StringComparison.OrdinalIgnoreCase))
            yield return $"Distances are of the features \"{network.Name}\", not of Inception-v3: they are no FID or KID that published "
                + $"figures could be compared with.";
        if (sets.All(set => set.Name != "related"))
            yield return "No related captions were drawn: mitigation may have spoilt what the removed pictures speak of, and these "
                + "averages would not show it. Name the removed pictures with `Images`.";
    }

    private static Tensor Rows(IReadOnlyList<int> rows) => tensor(rows.Select(row => (long)row).ToArray());
}
