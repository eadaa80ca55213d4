using System.Globalization;
using Dori.Diffusion;
using Dori.Measures;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Mitigation;

/// <summary>
/// Adversarial fine-tuning ("Finding DoRI", arXiv 2507.16880; method.md section 7): for pictures that a model must forget, search embeddings that still
/// bring them back, and train the model to answer those with surrogates (pictures of the same meaning), while ordinary pairs hold it where it was.
/// The model's UNet is changed in place. All randomness follows from (seed, step): killed and resumed, a training ends in the same weights, bit for bit.
/// </summary>
public sealed class AdversarialFineTuning : IDisposable
{
    /// <summary>Least weight of what a search found: what is found no longer must not come back unseen.</summary>
    private const double LeastWeight = 0.1;

    /// <summary>Mean loss on ordinary pairs, over so many steps, above which training has diverged: what is to be predicted has variance 1, and predicting nothing costs that.</summary>
    private const double DivergedLoss = 0.5;

    private const int DivergenceWindow = 16;

    private readonly DiffusionModel _model;
    private readonly ICopyDetector _detector;
    private readonly IReadOnlyList<MemorizedPicture> _pictures;
    private readonly IReadOnlyList<SurrogateSet> _surrogates;
    private readonly OrdinaryPairs _ordinary;
    private readonly AdversarialFineTuningOptions _options;
    private readonly Workers _workers;
    private readonly RandomSource _random, _heldOut;
    private readonly TrainableWeights? _all;
    private readonly Lora? _lora;
    private readonly AdversarialFineTuningTeachers? _teachers;
    private readonly IReadOnlyList<Tensor> _trained;
    private readonly AdamW _adam;
    private readonly TrainingAverage? _average;
    private readonly List<FoundEmbeddings> _found = [];
    private readonly List<double[]> _history = [];
    private readonly List<HeldOutCheck> _checks = [];
    private bool _finished, _resumed;

    /// <param name="model">In float32.</param>
    /// <param name="pictures">At least one; not owned.</param>
    /// <param name="surrogates">Of each picture; not owned.</param>
    /// <param name="ordinary">Not owned.</param>
    /// <param name="workers">How many pieces (searches, micro-batches) are in work at a time; does not change the result where each has the same number of threads.</param>
    /// <exception cref="DoriException">Options out of range, a model that is not in float32, or a picture without surrogate.</exception>
    public AdversarialFineTuning(DiffusionModel model, ICopyDetector detector, IReadOnlyList<MemorizedPicture> pictures, IReadOnlyList<SurrogateSet> surrogates,
        OrdinaryPairs ordinary, AdversarialFineTuningOptions options, Workers workers)
    {
        options.Check();
        if (model.Dtype != ScalarType.Float32) throw new DoriException($"fine-tuning needs the UNet in float32, not {model.Dtype}: its steps are smaller than such a type's rounding");
        if (pictures.Count == 0) throw new DoriException("no pictures to forget");
        if (surrogates.Count != pictures.Count || surrogates.Any(s => s.Latents.shape[0] == 0)) throw new DoriException("every picture to forget needs surrogates");
        (_model, _detector, _pictures, _surrogates, _ordinary, _options, _workers) = (model, detector, pictures, surrogates, ordinary, options, workers);
        _random = RandomSource.For("adversarial fine-tuning", options.Seed.ToString());
        _heldOut = RandomSource.For("adversarial fine-tuning, held out", options.Seed.ToString());
        if (options.DistillationShare > 0) _teachers = new AdversarialFineTuningTeachers(model, pictures, surrogates);
        IReadOnlyList<string> names;
        if (options.LoraRank > 0)
        {
            _lora = new Lora(model.UNet, options.LoraRank, options.LoraLayers, _random.Derive("lora"));
            (names, _trained) = (_lora.Names, _lora.Tensors);
        }
        else
        {
            _all = new TrainableWeights(model.UNet, WeightSelection.All);
            (names, _trained) = (_all.Names, _all.Tensors);
        }
        _adam = new AdamW(names, _trained, new AdamWOptions { LearningRate = options.LearningRate, WeightDecay = options.WeightDecay });
        if (options.EmaDecay > 0) _average = new TrainingAverage(names, _trained, options.EmaDecay);
    }

    /// <summary>Outer steps in all.</summary>
    public int Steps => _options.StepsFor(_pictures.Count);

    /// <summary>
    /// The step after which the rate falls: the planned one, or that of the last held-out check where enough of them in a row found nothing. Training
    /// ends with the fall, so that stopping early does not leave the weights as restless as the full rate holds them.
    /// </summary>
    private int CooldownBegins
    {
        get
        {
            int planned = Steps - _options.CooldownStepsOf(Steps);
            return _options.HeldOut is { Patience: > 0 and var patience } && CleanChecks(patience) is { } clean ? Math.Min(planned, clean.Step) : planned;
        }
    }

    /// <summary>The coming step's share of the learning rate.</summary>
    private double RateShare => _options.RateShare(Step - CooldownBegins, Steps);

    /// <summary>The step that training ends with, as far as is known yet.</summary>
    private int LastStep => CooldownBegins + _options.CooldownStepsOf(Steps);

    /// <summary>The last of the first so many checks in a row that found nothing.</summary>
    private HeldOutCheck? CleanChecks(int patience)
    {
        int clean = 0;
        return _checks.FirstOrDefault(check => (clean = check.Retained(_detector.Preset.Threshold) == 0 ? clean + 1 : 0) == patience);
    }

    /// <summary>Outer steps done.</summary>
    public int Step => (int)_adam.Steps;

    /// <summary>Numbers trained.</summary>
    public long TrainedNumbers => _trained.Sum(tensor => tensor.numel());

    /// <summary>Checks made so far.</summary>
    public IReadOnlyList<HeldOutCheck> Checks => _checks;

    /// <summary>Losses of every step so far, by name: ordinary, adversarial, gradientNorm; search where the searches were renewed; guidanceShortfall where ordinary pairs come in twos.</summary>
    public IReadOnlyList<IReadOnlyDictionary<string, double>> History => [.. _history.Select(Named)];

    /// <summary>Whether the held-out checks found nothing so often in a row that training ended before its last step.</summary>
    public bool StoppedEarly => Step == LastStep && Step < Steps;

    /// <summary>Takes over the state file where there is one; <see cref="Run"/> does it by itself.</summary>
    /// <exception cref="DoriException">A state of another training.</exception>
    public void Resume(TrainingControl control)
    {
        if (_resumed) return;
        _resumed = true;
        if (control.StateFile is { } file && File.Exists(file)) FineTuningCheckpoint.Restore(file, control.Identity, _adam, _average, _found, _history, _checks);
    }

    /// <summary>
    /// Trains to the end, from the state file where there is one. Afterwards the UNet holds the result: averaged weights where asked, low-rank updates merged.
    /// What an interrupted training leaves in the UNet is half trained and to be thrown away.
    /// </summary>
    /// <param name="control">Progress, cancellation, and where the state is kept; the state is also written when cancelled.</param>
    /// <param name="onCheck">Told of every held-out check.</param>
    /// <exception cref="DoriException">A state of another training, gradients that are not finite, or a loss on ordinary pairs that stays near that of predicting nothing.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public void Run(TrainingControl? control = null, Action<HeldOutCheck>? onCheck = null)
    {
        control ??= new TrainingControl();
        ObjectDisposedException.ThrowIf(_finished, this);
        Resume(control);
        set_num_threads(_workers.ThreadsEach); // an element's last bit depends on how a tensor is cut for threads: here too, then, as in the workers
        try
        {
            while (true)
            {
                control.Cancellation.ThrowIfCancellationRequested();
                if (CheckIsDue)
                {
                    _checks.Add(Check(control.Cancellation));
                    onCheck?.Invoke(_checks[^1]);
                }
                if (Step >= LastStep) break;
                if (_found.Count == 0 || _found[^1].Round != Step / _options.StepsPerSearch) Search(control.Cancellation);
                Outer(control.Cancellation);
                if (HasDiverged([.. _history.TakeLast(DivergenceWindow).Select(losses => losses[0])]))
                    throw new DoriException(string.Create(CultureInfo.InvariantCulture, $"training has diverged: at step {Step} of {LastStep} the loss on ordinary pairs is {_history[^1][0]:0.00} (predicting nothing costs 1); begin anew, in another work folder, with a smaller --learning-rate or --restart"));
                control.OnStep?.Invoke(new TrainingProgress(Step, LastStep, Named(_history[^1])));
                if (Step % control.SaveEvery == 0) Save();
            }
        }
        catch (OperationCanceledException)
        {
            Save();
            throw;
        }
        Save();
        Finish();

        void Save()
        {
            if (control.StateFile is null) return;
            FineTuningCheckpoint.Save(control.StateFile, control.Identity, _adam, _average, _found, _history, _checks);
        }
    }

    /// <summary>How long <see cref="Run"/> will take for the steps that are left, from a trial of one step of the inner search and one piece of an outer step on every worker.</summary>
    /// <param name="clock">Time since some moment.</param>
    public TimeSpan Estimate(Func<TimeSpan> clock)
    {
        int batch = _options.BatchOf(_pictures.Count), searches = batch * _options.SearchesPerPicture;
        AdversarialFineTuningOptions oneStep = _options with { SearchSteps = 1, SnapshotSteps = [], SearchGenerations = 0 };
        RandomSource trial = RandomSource.For("trial");
        TimeSpan search = Second(() => Frozen(() => _workers.Run(_workers.Count, slot => AdversarialFineTuningSearch.Run(_model, _detector, _pictures[slot % _pictures.Count], 0,
            _ordinary.Captions, oneStep, 0, slot, trial.Derive("slot", slot), CancellationToken.None), found => found.Y.Dispose(), CancellationToken.None)));
        int rowsInAll = RowsInAll(), pieces = (rowsInAll + _options.MicroBatch - 1) / _options.MicroBatch;
        TimeSpan step = Second(() =>
        {
            using var scope = NewDisposeScope();
            int count = Math.Min(_options.MicroBatch, rowsInAll) * _workers.Count;
            (Tensor latents, Conditioning y) = _ordinary.Draw(_model, trial, count, 0);
            TrainingRows rows = Rows(latents, y, count, [], trial);
            if (_teachers is not null) rows = _teachers.Teach(rows, [], _options.DistillationShare, TeacherPiece, _workers);
            foreach (Tensor gradient in rows.Gradient(_model, _trained, count / _workers.Count, _workers).Gradients) gradient.Dispose();
        });
        int left = LastStep - Step, rounds = (left + _options.StepsPerSearch - 1) / _options.StepsPerSearch, waves = (searches + _workers.Count - 1) / _workers.Count;
        double stepWaves = Math.Ceiling((double)pieces / _workers.Count);
        double generation = _model.Defaults.SamplerSteps * 2 / (2.2 * _options.SearchBatch); // of one picture, in steps of a search, about
        TimeSpan time = search * (rounds * waves * (_options.SearchSteps + generation * _options.SearchGenerations)) + step * (left * stepWaves);
        if (_options.HeldOut is not { } held) return time;
        double checks = Math.Ceiling((double)left / held.Every) * Math.Min(held.Pictures, _pictures.Count);
        return time + search * (checks * (2.0 * held.SearchSteps + 3 * generation * held.Generations) / _workers.Count); // three ways a picture, two of them searches

        TimeSpan Second(Action action)
        {
            action(); // the first call prepares kernels
            TimeSpan begun = clock();
            action();
            return clock() - begun;
        }
    }

    /// <summary>Rows that go through a teacher at once: half a micro-batch, for there are fewer of them and every worker should get some.</summary>
    private int TeacherPiece => (_options.MicroBatch + 1) / 2;

    private bool CheckIsDue => _options.HeldOut is { } held && Step > 0 && (Step % held.Every == 0 || Step == LastStep) && (_checks.Count == 0 || _checks[^1].Step != Step);

    private HeldOutCheck Check(CancellationToken cancellation)
    {
        HeldOutCheck? check = null;
        Frozen(() => WithResult(() => check = AdversarialFineTuningHeldOut.Run(_model, _detector, _pictures, _options.HeldOut!, Step, _heldOut, _workers, cancellation)));
        return check!;
    }

    /// <summary>Searches anew for the next batch of pictures; earlier finds for the same pictures are dropped.</summary>
    private void Search(CancellationToken cancellation)
    {
        int round = Step / _options.StepsPerSearch;
        IReadOnlyList<int> pictures = AdversarialFineTuningSearch.Pictures(_options, _pictures.Count, round, _random, _found);
        var found = new List<FoundEmbeddings>();
        try
        {
            Frozen(() => _workers.Run(pictures.Count, slot => AdversarialFineTuningSearch.Run(_model, _detector, _pictures[pictures[slot]], pictures[slot], _ordinary.Captions, _options,
                round, slot, _random.Derive("round", round).Derive("search", slot), cancellation), found.Add, cancellation));
        }
        catch
        {
            foreach (FoundEmbeddings embeddings in found) embeddings.Y.Dispose();
            throw;
        }
        found = [.. found.Select(find => find.After(_found))];
        foreach (FoundEmbeddings old in _found.Where(old => pictures.Contains(old.Picture))) old.Y.Dispose();
        _found.RemoveAll(old => pictures.Contains(old.Picture));
        _found.AddRange(found);
    }

    /// <summary>A collapsed model is silent as well: it must not pass for one that has forgotten.</summary>
    /// <param name="ordinary">Loss on ordinary pairs, of the last steps, as many as are looked at or more.</param>
    internal static bool HasDiverged(IReadOnlyList<double> ordinary) => ordinary.Count >= DivergenceWindow && ordinary.Skip(ordinary.Count - DivergenceWindow).Average() > DivergedLoss;

    /// <summary>One step of AdamW on L_DM + weight L_Adv.</summary>
    private void Outer(CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        int ordinary = _options.OrdinaryPairs;
        (TrainingRows rows, IReadOnlyList<int> surrogateOf) = Batch(_random.Derive("step", Step));
        if (_teachers is not null) rows = _teachers.Teach(rows, surrogateOf, _options.DistillationShare, TeacherPiece, _workers, cancellation);
        (IReadOnlyList<Tensor> gradients, float[] losses, double shortfall) = rows.Gradient(_model, _trained, _options.MicroBatch, _workers, cancellation);
        double norm;
        try
        {
            norm = _adam.Step(gradients, RateShare);
        }
        finally
        {
            foreach (Tensor gradient in gradients) gradient.Dispose();
        }
        _average?.Update();
        bool renewed = (Step - 1) % _options.StepsPerSearch == 0;
        int round = (Step - 1) / _options.StepsPerSearch;
        _history.Add([losses[..ordinary].Average(), losses[ordinary..].Average(), norm, renewed ? _found.Where(f => f.Round == round).Average(f => f.Loss) : double.NaN, shortfall]);
    }

    /// <summary>The rows of an outer step: ordinary pairs first, then the conditions of the pictures searched for last, then replayed ones.</summary>
    /// <returns>The rows, and the picture that each of those after the ordinary ones is a surrogate of.</returns>
    internal (TrainingRows Rows, IReadOnlyList<int> SurrogateOf) Batch(RandomSource random)
    {
        (Tensor latents, Conditioning y) = Ordinary(random.Derive("ordinary"));
        RandomSource choice = random.Derive("adversarial");
        List<Tensor> z0 = [latents];
        List<Conditioning> ys = [y];
        List<int> surrogateOf = [];
        List<double> weights = [];
        double least = Math.Clamp(RateShare, LeastWeight, 1);
        int round = _found[^1].Round;
        foreach (FoundEmbeddings found in _found.Where(found => found.Round == round))
        {
            for (int condition = -1; condition < found.Y.Count; condition++)
                for (int draw = 0; draw < _options.DrawsPerCondition; draw++) Add(found, condition);
        }
        FoundEmbeddings[] earlier = [.. _found.Where(found => found.Round != round)];
        for (int draw = 0; draw < _options.ReplayDraws && earlier.Length > 0; draw++)
        {
            FoundEmbeddings found = earlier[choice.Next(earlier.Length)];
            Add(found, choice.Next((int)found.Y.Count + 1) - 1);
        }
        return (Rows(cat(z0, 0), Conditioning.Cat(ys), _options.OrdinaryPairs, weights, random), surrogateOf);

        // Condition -1 is the caption: it must be among those trained, or the plain prompt may still trigger.
        void Add(FoundEmbeddings found, int condition)
        {
            Tensor surrogates = _surrogates[found.Picture].Latents;
            surrogateOf.Add(found.Picture);
            weights.Add(found.Weight(_detector.Preset.Threshold, least));
            z0.Add(surrogates.narrow(0, choice.Next(surrogates.shape[0]), 1));
            ys.Add(condition < 0 ? _pictures[found.Picture].Y : found.Y.Narrow(condition, 1));
        }
    }

    /// <returns>z0 and y of the ordinary rows; in twos, each picture with its caption and then with the empty prompt, where the difference between the two counts.</returns>
    private (Tensor Latents, Conditioning Y) Ordinary(RandomSource random)
    {
        if (Twos == 0) return _ordinary.Draw(_model, random, _options.OrdinaryPairs, _options.EmptyCaptionShare, _options.RelatedShare);
        (Tensor latents, Conditioning y) = _ordinary.Draw(_model, random, Twos, 0, _options.RelatedShare);
        Conditioning both = Conditioning.Cat(y, _model.Embed("").Expand(y.Count));
        return (latents.repeat_interleave(2, 0), both.Rows(Enumerable.Range(0, 2 * Twos).Select(row => (long)(row / 2 + row % 2 * Twos))));
    }

    private int Twos => _options.PairsInTwos ? _options.OrdinaryPairs / 2 : 0;

    /// <summary>Rows with noise and time steps of their own (those of a two share theirs), and the factors that make the loss L_DM + weight L_Adv.</summary>
    /// <param name="weights">Of each of the rows after the ordinary ones.</param>
    private TrainingRows Rows(Tensor latents, Conditioning y, int ordinary, IReadOnlyList<double> weights, RandomSource random)
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
        float[] factors = [.. Enumerable.Repeat(1f / ordinary, ordinary), .. weights.Select(weight => (float)(_options.AdversarialWeight * weight / counted))];
        return new TrainingRows(latents, noise, timesteps, y, tensor(factors).to(_model.Device)) { Twos = Twos, GuidanceWeight = _options.GuidanceWeight, ShortfallWeight = _options.GuidanceShortfallWeight };
    }

    /// <summary>Rows of an outer step once every picture has been searched for.</summary>
    private int RowsInAll()
    {
        int batch = _options.BatchOf(_pictures.Count);
        return _options.OrdinaryPairs + batch * _options.SearchesPerPicture * (_options.KeptSteps.Count + 1) * _options.DrawsPerCondition
            + (_pictures.Count > batch ? _options.ReplayDraws : 0);
    }

    /// <summary>Searches and generations need no gradients of the weights: without them they cost no more than on a frozen model.</summary>
    private void Frozen(Action action)
    {
        using IDisposable? frozen = _all?.Freeze();
        _lora?.RequireGradients(false);
        try
        {
            action();
        }
        finally
        {
            _lora?.RequireGradients(true);
        }
    }

    /// <summary>With the averaged weights in place, where there are any; afterwards the trained ones are back, bit for bit.</summary>
    private void WithResult(Action action)
    {
        if (_average is null)
        {
            action();
            return;
        }
        using var scope = NewDisposeScope();
        Tensor[] kept = [.. _trained.Select(weight => weight.detach().clone())];
        _average.CopyToWeights();
        try
        {
            action();
        }
        finally
        {
            using var noGrad = no_grad();
            for (int i = 0; i < kept.Length; i++) _trained[i].copy_(kept[i]);
        }
    }

    private void Finish()
    {
        _average?.CopyToWeights();
        _lora?.Merge();
        _finished = true;
    }

    private static SortedDictionary<string, double> Named(double[] losses)
    {
        var named = new SortedDictionary<string, double>(StringComparer.Ordinal) { ["ordinary"] = losses[0], ["adversarial"] = losses[1], ["gradientNorm"] = losses[2] };
        if (!double.IsNaN(losses[3])) named["search"] = losses[3];
        if (!double.IsNaN(losses[4])) named["guidanceShortfall"] = losses[4];
        return named;
    }

    public void Dispose()
    {
        _adam.Dispose();
        _teachers?.Dispose();
        _average?.Dispose();
        _all?.Dispose();
        _lora?.Dispose();
        foreach (FoundEmbeddings found in _found) found.Y.Dispose();
        _found.Clear();
    }
}
