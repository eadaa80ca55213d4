using System.ComponentModel.DataAnnotations;
using Dori.Diffusion;

namespace Dori.Training;

/// <summary>How weights are trained, whatever the loss.</summary>
internal sealed record TrainingOptions
{
    [Range(1, 1_000_000), Display(Name = "Iterations")]
    public required int Steps { get; init; }
    [Range(0.0, 1.0, MinimumIsExclusive = true)]
    public required double LearningRate { get; init; }
    public required WeightSelection Trained { get; init; }
    /// <summary>Of <see cref="AdamW"/>; 0 is plain Adam.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double WeightDecay { get; init; } = 0.01;
    /// <inheritdoc cref="AdamWOptions.MaxGradientNorm"/>
    [Range(0.0, 1e9, MinimumIsExclusive = true)]
    public double? MaxGradientNorm { get; init; }

    /// <summary>With what a model says otherwise.</summary>
    /// <param name="pictures">How many are to be forgotten.</param>
    internal TrainingOptions For(TrainingDefaults own, int pictures) =>
        this with { LearningRate = own.LearningRate ?? LearningRate, Steps = own.StepsPerPicture * pictures ?? Steps };

    /// <exception cref="DoriException">The first value out of range, by the name of its option.</exception>
    public void Check() => Ranges.Check(this);
}

/// <summary>How far a training is.</summary>
/// <param name="Step">Steps done, from 1.</param>
/// <param name="Losses">Of this step, by name.</param>
internal sealed record TrainingProgress(int Step, int Steps, IReadOnlyDictionary<string, double> Losses);

/// <summary>What a caller may see and decide of a training on its way.</summary>
internal sealed record TrainingControl
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
