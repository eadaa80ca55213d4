using Dori.Checkpoints;
using Dori.Diffusion;
using static TorchSharp.torch;

namespace Dori.Training;

/// <summary>What one step of a method gives to the optimiser.</summary>
/// <param name="Gradients">One a trained weight, in the order of <see cref="TrainableWeights.Names"/>.</param>
/// <param name="Losses">By name, for the record.</param>
internal readonly record struct TrainingStep(Tensor[] Gradients, IReadOnlyDictionary<string, double> Losses);

/// <summary>Some of a UNet's own weights under AdamW: all that a method adds is the gradient of a step.</summary>
internal sealed class WeightTraining : ITrainingTask, IDisposable
{
    private readonly Func<TrainableWeights, int, TrainingStep> _step;
    private readonly TrainableWeights _weights;
    private readonly AdamW _adam;

    private WeightTraining(DiffusionModel model, TrainingOptions options, Func<TrainableWeights, int, TrainingStep> step)
    {
        (_step, Steps) = (step, options.Steps);
        _weights = new TrainableWeights(model.UNet, options.Trained);
        _adam = new AdamW(_weights.Names, _weights.Tensors, new AdamWOptions
        {
            LearningRate = options.LearningRate,
            WeightDecay = options.WeightDecay,
            MaxGradientNorm = options.MaxGradientNorm,
        });
    }

    /// <summary>Trains the weights of a model's UNet in place.</summary>
    /// <param name="step">
    /// (weights, number of the step from 0) -> gradients; called in a dispose scope of its own. All its random numbers must follow from the
    /// step's number.
    /// </param>
    /// <returns>The losses of every step, with the gradient's norm before clipping as <c>gradientNorm</c>.</returns>
    /// <exception cref="DoriException">A value out of range, a state of another training, or gradients that are not finite.</exception>
    public static IReadOnlyList<IReadOnlyDictionary<string, double>> Run(DiffusionModel model, TrainingOptions options,
        Func<TrainableWeights, int, TrainingStep> step, TrainingControl? control = null)
    {
        options.Check();
        using var task = new WeightTraining(model, options, step);
        return TrainingLoop.Run(task, control);
    }

    public int Step => (int)_adam.Steps;
    public int Steps { get; }

    public void Prepare(CancellationToken cancellation) { }

    public IReadOnlyDictionary<string, double> Advance(IReadOnlyList<IReadOnlyDictionary<string, double>> history,
        CancellationToken cancellation)
    {
        TrainingStep taken = _step(_weights, Step);
        return new SortedDictionary<string, double>(taken.Losses.ToDictionary(),
            StringComparer.Ordinal) { ["gradientNorm"] = _adam.Step(taken.Gradients) };
    }

    public IReadOnlyList<(string Name, Tensor Tensor)> State() => _adam.State();

    public void Restore(SafetensorsFile state) => _adam.Restore(state.Read);

    public void Finish() { }

    public void Dispose()
    {
        _adam.Dispose();
        _weights.Dispose();
    }
}
