using Dori.Diffusion;

namespace Dori.Training;

/// <summary>How weights are trained, whatever the loss.</summary>
public sealed record TrainingOptions
{
    public required int Steps { get; init; }
    public required double LearningRate { get; init; }
    public required WeightSelection Trained { get; init; }
    /// <summary>Of <see cref="AdamW"/>; 0 is plain Adam.</summary>
    public double WeightDecay { get; init; } = 0.01;
    /// <inheritdoc cref="AdamWOptions.MaxGradientNorm"/>
    public double? MaxGradientNorm { get; init; }

    /// <summary>With what a model says otherwise.</summary>
    /// <param name="pictures">How many are to be forgotten.</param>
    internal TrainingOptions For(TrainingDefaults own, int pictures) =>
        this with { LearningRate = own.LearningRate ?? LearningRate, Steps = own.StepsPerPicture * pictures ?? Steps };

    /// <exception cref="DoriException">The first value out of range, by the name of its option.</exception>
    public void Check()
    {
        if (Steps is < 1 or > 1_000_000) throw new DoriException($"--iterations: {Steps} is out of range; 1 to 1000000 is possible");
        if (!(LearningRate is > 0 and <= 1))
            throw new DoriException($"--learning-rate: {LearningRate} is out of range; above 0 and at most 1 is possible");
        if (!(WeightDecay is >= 0 and < 1))
            throw new DoriException($"weight decay: {WeightDecay} is out of range; 0 to below 1 is possible");
        if (MaxGradientNorm is not (null or > 0))
            throw new DoriException($"largest gradient norm: {MaxGradientNorm} is out of range; it must be above 0");
    }
}

/// <summary>How far a training is.</summary>
/// <param name="Step">Steps done, from 1.</param>
/// <param name="Losses">Of this step, by name.</param>
public sealed record TrainingProgress(int Step, int Steps, IReadOnlyDictionary<string, double> Losses);

/// <summary>What a caller may see and decide of a training on its way.</summary>
public sealed record TrainingControl
{
    public Action<TrainingProgress>? OnStep { get; init; }
    /// <summary>Looked at before every step and during long ones. The state is written before the exception goes on.</summary>
    public CancellationToken Cancellation { get; init; }
    /// <summary>
    /// Where to keep the state of an unfinished training (safetensors); a training goes on from a state that stands there. Null: nowhere.
    /// </summary>
    public string? StateFile { get; init; }
    /// <summary>Says what is trained, on what and how. A state of another training is refused.</summary>
    public string Identity { get; init; } = "";
    /// <summary>Steps from one writing of the state to the next.</summary>
    public int SaveEvery { get; init; } = 50;
}
