using Dori.Diffusion;
using Dori.Pictures;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Mitigation.Adversarial;

/// <summary>Makes the rows of an outer step.</summary>
internal sealed class AdversarialBatch(AdversarialInputs inputs)
{
    /// <summary>Least weight of what a search found: what is found no longer must not come back unseen.</summary>
    private const double LeastWeight = 0.1;

    private readonly DiffusionModel _model = inputs.Model;
    private readonly AdversarialOptions _options = inputs.Options;

    /// <summary>Ordinary pairs first, then the conditions of the pictures searched for last, then replayed ones.</summary>
    /// <param name="all">The last finds for every picture searched for so far.</param>
    /// <param name="rateShare">The step's share of the learning rate.</param>
    /// <returns>The rows, and the picture that each of those after the ordinary ones is a surrogate of.</returns>
    public (TrainingRows Rows, IReadOnlyList<int> SurrogateOf) Make(IReadOnlyList<FoundEmbeddings> all, double rateShare,
        RandomSource random)
    {
        (Tensor latents, Conditioning y) = Ordinary(random.Derive("ordinary"));
        RandomSource choice = random.Derive("adversarial");
        List<Tensor> z0 = [latents];
        List<Conditioning> ys = [y];
        List<int> surrogateOf = [];
        List<double> weights = [];
        double least = Math.Clamp(rateShare, LeastWeight, 1);
        int round = all[^1].Round;
        foreach (FoundEmbeddings found in all.Where(found => found.Round == round))
        {
            for (int condition = -1; condition < found.Y.Count; condition++)
                for (int draw = 0; draw < _options.DrawsPerCondition; draw++) Add(found, condition);
        }
        FoundEmbeddings[] earlier = [.. all.Where(found => found.Round != round)];
        for (int draw = 0; draw < _options.ReplayDraws && earlier.Length > 0; draw++)
        {
            FoundEmbeddings found = earlier[choice.Next(earlier.Length)];
            Add(found, choice.Next((int)found.Y.Count + 1) - 1);
        }
        return (Rows(cat(z0, 0), Conditioning.Cat(ys), _options.OrdinaryPairs, weights, random), surrogateOf);

        // Condition -1 is the caption: it must be among those trained, or the plain prompt may still trigger.
        void Add(FoundEmbeddings found, int condition)
        {
            Tensor surrogates = inputs.Surrogates[found.Picture].Latents;
            surrogateOf.Add(found.Picture);
            weights.Add(found.Weight(inputs.Detector.Preset.Threshold, least));
            z0.Add(surrogates.narrow(0, choice.Next(surrogates.shape[0]), 1));
            ys.Add(condition < 0 ? inputs.Pictures[found.Picture].Y : found.Y.Narrow(condition, 1));
        }
    }

    /// <summary>Rows of an outer step once every picture has been searched for.</summary>
    public int RowsInAll
    {
        get
        {
            int batch = _options.BatchOf(inputs.Pictures.Count);
            return _options.OrdinaryPairs
                + batch * _options.SearchesPerPicture * (_options.KeptSteps.Count + 1) * _options.DrawsPerCondition
                + (inputs.Pictures.Count > batch ? _options.ReplayDraws : 0);
        }
    }

    private int Twos => _options.PairsInTwos ? _options.OrdinaryPairs / 2 : 0;

    /// <returns>
    /// z0 and y of the ordinary rows; in twos, each picture with its caption and then with the empty prompt, where the difference between
    /// the two counts.
    /// </returns>
    private (Tensor Latents, Conditioning Y) Ordinary(RandomSource random)
    {
        OrdinaryPairs ordinary = inputs.Ordinary;
        if (Twos == 0) return ordinary.Draw(_model, random, _options.OrdinaryPairs, _options.EmptyCaptionShare, _options.RelatedShare);
        (Tensor latents, Conditioning y) = ordinary.Draw(_model, random, Twos, 0, _options.RelatedShare);
        var both = Conditioning.Cat(y, _model.EmbedNothing().Expand(y.Count));
        return (latents.repeat_interleave(2, 0), both.Rows(Enumerable.Range(0, 2 * Twos).Select(row => (long)(row / 2 + row % 2 * Twos))));
    }

    /// <summary>
    /// Rows with noise and time steps of their own (those of a two share theirs), and the factors that make the loss L_DM + L_Adv.
    /// </summary>
    /// <param name="weights">Of each of the rows after the ordinary ones.</param>
    public TrainingRows Rows(Tensor latents, Conditioning y, int ordinary, IReadOnlyList<double> weights, RandomSource random)
    {
        int count = (int)latents.shape[0];
        Tensor noise = random.Derive("noise").Normal([count, .. _model.LatentShape]).to(_model.Device);
        Tensor timesteps = random.Derive("timesteps").Integers(_model.Schedule.NumTrainTimesteps, count).to(_model.Device);
        if (Twos > 0)
        {
            Tensor shared = tensor([.. Enumerable.Range(0, count).Select(row => row < 2 * Twos ? row / 2 * 2L : row)]).to(_model.Device);
            (noise, timesteps) = (noise.index_select(0, shared), timesteps.index_select(0, shared));
        }
        double counted = weights.Sum(weight => Math.Min(weight, 1)); // rows that weigh less leave their part to the others
        float[] factors = [.. Enumerable.Repeat(1f / ordinary, ordinary), .. weights.Select(weight => (float)(weight / counted))];
        return new TrainingRows(latents, noise, timesteps, y, tensor(factors).to(_model.Device))
        {
            Twos = Twos, GuidanceWeight = _options.GuidanceWeight, ShortfallWeight = _options.GuidanceShortfallWeight,
        };
    }
}
