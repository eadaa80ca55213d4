using Dori.Checkpoints;
using Dori.Diffusion;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Mitigation;

/// <summary>What one step of a method gives to the optimiser.</summary>
/// <param name="Gradients">One a trained weight, in the order of <see cref="TrainableWeights.Names"/>.</param>
/// <param name="Losses">By name, for the record.</param>
public readonly record struct TrainingStep(Tensor[] Gradients, IReadOnlyDictionary<string, double> Losses);

/// <summary>The loop that all methods share: gradients, AdamW, moving average, state on disk.</summary>
public static class Training
{
    private const string IdentityKey = "identity";

    /// <summary>
    /// Trains the weights of a model's UNet in place. Given the same steps, the same weights come out bit for bit on one machine and thread count, also
    /// where a run was killed and resumed from its state. What an interrupted training leaves in the UNet is half trained: it is to be thrown away.
    /// </summary>
    /// <param name="step">
    /// (weights, number of the step from 0) -> gradients; called in a dispose scope of its own. All its random numbers must follow from the step's number.
    /// </param>
    /// <returns>The losses of the steps of this call, in their order.</returns>
    /// <exception cref="DoriException">A value out of range, a state of another training, or gradients that are not finite.</exception>
    public static IReadOnlyList<TrainingProgress> Run(DiffusionModel model, TrainingOptions options, Func<TrainableWeights, int, TrainingStep> step, TrainingControl? control = null)
    {
        options.Check();
        control ??= new TrainingControl();
        using var scope = NewDisposeScope();
        using var weights = new TrainableWeights(model.UNet, options.Trained);
        using var adam = new AdamW(weights.Names, weights.Tensors, new AdamWOptions
        {
            LearningRate = options.LearningRate,
            WeightDecay = options.WeightDecay,
            MaxGradientNorm = options.MaxGradientNorm,
        });
        using TrainingAverage? average = options.AverageDecay is { } decay ? new TrainingAverage(weights.Names, weights.Tensors, decay) : null;
        if (control.StateFile is { } file && File.Exists(file)) Restore(file, control.Identity, adam, average);
        var history = new List<TrainingProgress>();
        while (adam.Steps < options.Steps)
        {
            if (control.Cancellation.IsCancellationRequested)
            {
                Save(control, adam, average);
                control.Cancellation.ThrowIfCancellationRequested();
            }
            using var inner = NewDisposeScope();
            int number = (int)adam.Steps;
            TrainingStep taken = step(weights, number);
            double norm = adam.Step(taken.Gradients);
            average?.Update();
            var progress = new TrainingProgress(number + 1, options.Steps, new SortedDictionary<string, double>(taken.Losses.ToDictionary(), StringComparer.Ordinal) { ["gradientNorm"] = norm });
            history.Add(progress);
            control.OnStep?.Invoke(progress);
            if (adam.Steps % control.SaveEvery == 0 || adam.Steps == options.Steps) Save(control, adam, average);
        }
        average?.CopyToWeights();
        return history;
    }

    private static void Save(TrainingControl control, AdamW adam, TrainingAverage? average)
    {
        if (control.StateFile is not { } file) return;
        using var scope = NewDisposeScope();
        SafetensorsWriter.Write(file, [.. adam.State(), .. average?.State() ?? []], new Dictionary<string, string> { [IdentityKey] = control.Identity });
    }

    private static void Restore(string file, string identity, AdamW adam, TrainingAverage? average)
    {
        using SafetensorsFile state = SafetensorsFile.Open(file);
        if (state.Metadata.GetValueOrDefault(IdentityKey) != identity)
            throw new DoriException($"{file}: the state of another training (other model, pictures or options); delete it to begin anew, or give the same arguments to go on");
        adam.Restore(state.Read);
        average?.Restore(state.Read);
    }
}
