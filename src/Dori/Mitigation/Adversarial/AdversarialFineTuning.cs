using System.Globalization;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Mitigation.Adversarial;

/// <summary>
/// Adversarial fine-tuning ("Finding DoRI", arXiv 2507.16880; method.md section 7): for pictures that a model must forget, search
/// embeddings that still bring them back, and train the model to answer those with surrogates (pictures of the same meaning), while
/// ordinary pairs hold it where it was. The model's UNet is changed in place; in the end it holds averaged weights where asked, low-rank
/// updates merged.
/// </summary>
internal sealed class AdversarialFineTuning : ITrainingTask, IDisposable
{
    private readonly AdversarialInputs _inputs;
    private readonly AdversarialOptions _options;
    private readonly AdversarialSchedule _schedule;
    private readonly AdversarialBatch _batch;
    private readonly AdversarialTeachers? _teachers;
    private readonly ITrainedWeights _weights;
    private readonly AdamW _adam;
    private readonly TrainingAverage? _average;
    private readonly AdversarialState _state;

    /// <exception cref="DoriException">See <see cref="AdversarialInputs.Check"/>.</exception>
    public AdversarialFineTuning(AdversarialInputs inputs)
    {
        inputs.Check();
        (_inputs, _options, _batch) = (inputs, inputs.Options, new AdversarialBatch(inputs));
        _state = new AdversarialState(inputs.Model.Device);
        _schedule = new AdversarialSchedule(_options, _options.StepsFor(inputs.Pictures.Count), inputs.Detector.Preset.Threshold);
        if (_options.DistillationShare > 0) _teachers = new AdversarialTeachers(inputs.Model, inputs.Pictures, inputs.Surrogates);
        _weights = _options.TrainRank > 0
            ? new LowRankWeights(inputs.Model.UNet, _options.TrainRank, _options.TrainRankLayers, inputs.Random.Derive("lora"))
            : new TrainableWeights(inputs.Model.UNet, WeightSelection.All);
        var adam = new AdamWOptions { LearningRate = _options.LearningRate, WeightDecay = _options.WeightDecay };
        _adam = new AdamW(_weights.Names, _weights.Tensors, adam);
        if (_options.EmaDecay > 0) _average = new TrainingAverage(_weights.Names, _weights.Tensors, _options.EmaDecay);
    }

    public int Step => (int)_adam.Steps;
    public int Steps => _schedule.LastStep(Checks);
    public int PlannedSteps => _schedule.Steps;
    /// <summary>Numbers trained.</summary>
    public long TrainedNumbers => _weights.Tensors.Sum(tensor => tensor.numel());
    /// <summary>Checks made so far.</summary>
    public IReadOnlyList<HeldOutCheck> Checks => _state.Checks;
    /// <summary>Told of every held-out check.</summary>
    public Action<HeldOutCheck>? OnCheck { get; init; }

    /// <summary>How long the steps that are left will take.</summary>
    /// <param name="clock">Time since some moment.</param>
    public TimeSpan Estimate(Func<TimeSpan> clock) =>
        AdversarialEstimate.Of(_inputs, _batch, _teachers, _weights.Tensors, Steps - Step, _weights.Frozen, clock);

    /// <summary>The small audit where it is due, and new searches where the next step wants them.</summary>
    public void Prepare(CancellationToken cancellation)
    {
        // an element's last bit depends on how a tensor is cut for threads: here too, then, as in the workers
        set_num_threads(_inputs.Workers.ThreadsEach);
        int every = _options.HeldOut.Every;
        if (every > 0 && Step > 0 && (Step % every == 0 || Step == Steps) && (Checks.Count == 0 || Checks[^1].Step != Step))
            _weights.Frozen(() => Check(cancellation));
        int round = Step / _options.StepsPerSearch;
        if (Step < Steps && (_state.Found.Count == 0 || _state.Found[^1].Round != round))
            _weights.Frozen(() => _state.Replace(AdversarialSearch.Renew(_inputs, _state.Found, round, cancellation)));
    }

    /// <summary>One step of AdamW on L_DM + L_Adv.</summary>
    /// <exception cref="DoriException">
    /// Gradients that are not finite, or a loss on ordinary pairs that stays near that of predicting nothing.
    /// </exception>
    public IReadOnlyDictionary<string, double> Advance(IReadOnlyList<IReadOnlyDictionary<string, double>> history,
        CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        (TrainingRows rows, IReadOnlyList<int> surrogateOf) = Batch(_inputs.Random.Derive("step", Step));
        if (_teachers is not null)
            rows = _teachers.Teach(rows, surrogateOf, _options.DistillationShare, _inputs.TeacherPiece, _inputs.Workers, cancellation);
        (IReadOnlyList<Tensor> gradients, float[] losses, double shortfall) =
            rows.Gradient(_inputs.Model, _weights.Tensors, _options.MicroBatch, _inputs.Workers, cancellation);
        int round = Step / _options.StepsPerSearch, ordinary = _options.OrdinaryPairs;
        double? search = Step % _options.StepsPerSearch == 0 ? _state.Found.Where(f => f.Round == round).Average(f => f.Loss) : null;
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
        var taken = new StepLosses(losses[..ordinary].Average(), losses[ordinary..].Average(), norm, search, shortfall);
        if (StepLosses.HaveDiverged([.. history.Select(step => step[StepLosses.OrdinaryName]), taken.Ordinary]))
            throw new DoriException(string.Create(CultureInfo.InvariantCulture,
                $"training has diverged: at step {Step} of {Steps} the loss on ordinary "
                + $"pairs is {taken.Ordinary:0.00} (predicting nothing costs 1); begin anew, in another work folder, with a smaller "
                + $"learningRate or restartFactor"));
        return taken.Named();
    }

    internal (TrainingRows Rows, IReadOnlyList<int> SurrogateOf) Batch(RandomSource random) => _batch.Make(_state.Found, RateShare, random);

    private double RateShare => _schedule.RateShare(Step - _schedule.FallBegins(Checks));

    private void Check(CancellationToken cancellation)
    {
        using IDisposable? averaged = _average?.InPlace();
        var random = RandomSource.For("adversarial fine-tuning, held out", _options.Seed.ToString(CultureInfo.InvariantCulture));
        _state.Checks.Add(HeldOutAudit.Run(_inputs, Step, random, cancellation));
        OnCheck?.Invoke(Checks[^1]);
    }

    public IReadOnlyList<(string Name, Tensor Tensor)> State() => [.. _adam.State(), .. _average?.State() ?? [], .. _state.Tensors()];

    public void Restore(SafetensorsFile state)
    {
        _adam.Restore(state.Read);
        _average?.Restore(state.Read);
        _state.Restore(state);
    }

    public void Finish()
    {
        _average?.CopyToWeights();
        _weights.Merge();
    }

    public void Dispose()
    {
        _adam.Dispose();
        _teachers?.Dispose();
        _average?.Dispose();
        _weights.Dispose();
        _state.Dispose();
    }
}
