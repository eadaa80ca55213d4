namespace Dori.Models;

/// <summary>What <c>scheduler/scheduler_config.json</c> says, whichever scheduler class it names.</summary>
public sealed record SchedulerConfig
{
    /// <summary>DDIMScheduler, PNDMScheduler, EulerDiscreteScheduler, HeunDiscreteScheduler, DPMSolverMultistepScheduler or
    /// UniPCMultistepScheduler.</summary>
    public required string ClassName { get; init; }
    /// <summary>
    /// The class that the file names, where that one has no sampler here and <see cref="ClassName"/> stands in for it; else null.
    /// </summary>
    public string? StandsInFor { get; init; }
    public required int NumTrainTimesteps { get; init; }
    public required double BetaStart { get; init; }
    public required double BetaEnd { get; init; }
    /// <summary><c>scaled_linear</c> or <c>linear</c>.</summary>
    public required string BetaSchedule { get; init; }
    /// <summary><c>epsilon</c> or <c>v_prediction</c>.</summary>
    public required string PredictionType { get; init; }
    public required bool SetAlphaToOne { get; init; }
    public required int StepsOffset { get; init; }
    /// <summary><c>leading</c>, <c>trailing</c> or <c>linspace</c>; the default differs by class, as in diffusers.</summary>
    public required string TimestepSpacing { get; init; }
    public required bool RescaleBetasZeroSnr { get; init; }
    public required bool UseKarrasSigmas { get; init; }
    /// <summary><c>zero</c>, or <c>sigma_min</c>: the last step ends at a_0's noise.</summary>
    public string FinalSigmasType { get; init; } = "zero";
    /// <summary>DPM-Solver++ takes its last step in first order also where it does not end at zero.</summary>
    public bool EulerAtFinal { get; init; }
    /// <summary>DDIM holds the predicted z_0 within plus and minus this; null: it does not.</summary>
    public double? ClipSampleRange { get; init; }
}
