using Dori.Models;

namespace Dori.Checkpoints;

internal static partial class ConfigFiles
{
    internal const string Ddim = "DDIMScheduler";
    private const string Pndm = "PNDMScheduler", Euler = "EulerDiscreteScheduler", Heun = "HeunDiscreteScheduler",
        Dpm = "DPMSolverMultistepScheduler", UniPc = "UniPCMultistepScheduler";

    /// <summary>
    /// Classes whose noise schedule is one of those here and whose sampler is not: what stands in for each. Only the schedule says what
    /// the model is. Classes with a schedule of another kind (flow matching, EDM) are none of them.
    /// </summary>
    private static readonly Dictionary<string, string> StandIns = new(StringComparer.Ordinal)
    {
        ["DDPMScheduler"] = Ddim,
        ["DDPMParallelScheduler"] = Ddim,
        ["DDIMParallelScheduler"] = Ddim,
        ["LCMScheduler"] = Ddim,
        ["TCDScheduler"] = Ddim,
        ["EulerAncestralDiscreteScheduler"] = Euler,
        ["KDPM2DiscreteScheduler"] = Euler,
        ["KDPM2AncestralDiscreteScheduler"] = Euler,
        ["LMSDiscreteScheduler"] = Euler,
        ["DEISMultistepScheduler"] = Dpm,
        ["DPMSolverSDEScheduler"] = Dpm,
        ["DPMSolverSinglestepScheduler"] = Dpm,
        ["SASolverScheduler"] = Dpm,
    };

    /// <summary>Scheduler classes whose noise schedule is understood: those that have a sampler here first.</summary>
    internal static IReadOnlyList<string> SchedulerClasses { get; } = [Ddim, Pndm, Euler, Heun, Dpm, UniPc, .. StandIns.Keys];

    /// <summary>
    /// <c>scheduler/scheduler_config.json</c> as StableDiffusionPipeline takes it: absent keys mean the defaults of the class in
    /// diffusers, and what the pipeline mends in old files is mended. Published files carry keys of classes that they once named (DDIM with
    /// <c>skip_prk_steps</c>): a key of another class has no effect and is passed over.
    /// </summary>
    /// <exception cref="DoriException">
    /// Not readable, another class, or a key or value that changes the noise or the sampling in a way that is not supported.
    /// </exception>
    public static SchedulerConfig ReadScheduler(string path) => ConfigJson.Read(path, Scheduler);

    /// <inheritdoc cref="ReadScheduler(string)"/>
    internal static SchedulerConfig ReadScheduler(string path, ModelNotes notes) => ConfigJson.Read(path, Scheduler, notes);

    /// <summary>As StableDiffusionXLPipeline takes it, which mends nothing: offsets, and DDIM's clipping of the predicted
    /// latents.</summary>
    /// <inheritdoc cref="ReadScheduler(string)"/>
    internal static SchedulerConfig ReadSchedulerAsWritten(string path, ModelNotes notes) =>
        ConfigJson.Read(path, SchedulerAsWritten, notes);

    private static SchedulerConfig SchedulerAsWritten(ConfigJson json)
    {
        int offset = json.Int("steps_offset", 0, 0, 100);
        double range = json.Number("clip_sample_range", 1, 1e-6, 1e6);
        bool clips = json.TextOrNull("_class_name") == Ddim && json.Bool("clip_sample", true);
        return Scheduler(json, mended: false) with { StepsOffset = offset, ClipSampleRange = clips ? range : null };
    }

    /// <summary>Whether the file says what the network predicts, or leaves it to the default.</summary>
    internal static bool SaysPrediction(string path) => ConfigJson.Read(path, json => json.IsSet("prediction_type"));

    internal static SchedulerConfig Scheduler(ConfigJson json) => Scheduler(json, mended: true);

    private static SchedulerConfig Scheduler(ConfigJson json, bool mended)
    {
        string named = SchedulerClass(json);
        bool zeroSnr = json.Bool("rescale_betas_zero_snr", false), karras = json.Bool("use_karras_sigmas", false);
        string? standIn = StandIn(json, named, karras);
        string name = standIn ?? named;
        bool stands = standIn is not null;
        if (stands) TakeScheduleAlone(json, named, name);
        else RefuseOtherSampling(json, name);
        double start = json.Number("beta_start", 0.0001, 1e-8, 0.999), end = json.Number("beta_end", 0.02, 1e-8, 0.999);
        if (end < start) throw json.Refused("beta_end", "a number that is not below beta_start");
        int timesteps = json.Int("num_train_timesteps", 1000, 2, 100_000);
        var config = new SchedulerConfig
        {
            ClassName = name,
            StandsInFor = stands ? named : null,
            NumTrainTimesteps = timesteps,
            BetaStart = start,
            BetaEnd = end,
            BetaSchedule = json.Text("beta_schedule", "linear", "scaled_linear", "linear"),
            PredictionType = json.Text("prediction_type", "epsilon", "epsilon", "v_prediction"),
            SetAlphaToOne = json.Bool("set_alpha_to_one", name == Ddim),
            StepsOffset = mended ? StepsOffset(json) : 0,
            TimestepSpacing =
                json.Text("timestep_spacing", name is Ddim or Pndm ? "leading" : "linspace", "leading", "trailing", "linspace"),
            RescaleBetasZeroSnr = zeroSnr,
            UseKarrasSigmas = karras && name is not (Ddim or Pndm),
            FinalSigmasType = stands || !EndsAtSigmaMin(name) ? "zero" : json.Text("final_sigmas_type", "zero", "zero", "sigma_min"),
            EulerAtFinal = !stands && name == Dpm && json.Bool("euler_at_final", false),
        };
        if (zeroSnr && name is not (Ddim or Euler or Dpm or UniPc)) throw json.Refused("rescale_betas_zero_snr", $"false, for {name}");
        if (karras && !stands && name is (Ddim or Pndm)) throw json.Refused("use_karras_sigmas", $"false, for {name}");
        if (mended) MendClipping(json, named);
        json.Ignore("steps_offset", "clip_sample");
        json.Only("predict_epsilon", "true", "null"); // before there was prediction_type
        json.Ignore("tensor_format"); // numpy or PyTorch, in the first versions
        json.RefuseUnknown();
        return config;
    }

    private static bool EndsAtSigmaMin(string name) => name is Euler or Dpm or UniPc;

    /// <summary>A known class, or one whose name is no other kind's and whose betas are written out.</summary>
    private static string SchedulerClass(ConfigJson json) =>
        json.TextOrNull("_class_name") is { } named && MayBeDiffusion(named) && BetaKeys.All(json.IsSet) ? named
            : json.Text("_class_name", null, SchedulerClasses);

    /// <summary>Whether a class may have one of the noise schedules here: flow matching and EDM are told by their names.</summary>
    internal static bool MayBeDiffusion(string named) => named.EndsWith("Scheduler", StringComparison.Ordinal)
        && !OtherKinds.Any(kind => named.Contains(kind, StringComparison.OrdinalIgnoreCase));

    private static readonly string[] OtherKinds = ["Flow", "EDM", "VQDiffusion", "Score", "Karras", "Cosine", "Wuerstchen"];

    private static readonly string[] BetaKeys = ["beta_start", "beta_end", "beta_schedule"];

    /// <summary>The class whose sampler takes the place of one that is not here, or not with these settings; null: it is here.</summary>
    private static string? StandIn(ConfigJson json, string named, bool karras)
    {
        if (named == Heun || named == UniPc) return HasSettings(json, named) ? null : named;
        if (!StandIns.TryGetValue(named, out string? standIn))
        {
            if (SchedulerClasses.Contains(named)) return null;
            standIn = named.Contains("DPM", StringComparison.Ordinal) ? Dpm
                : named.Contains("Euler", StringComparison.Ordinal) ? Euler : Ddim;
        }
        return json.Bool("rescale_betas_zero_snr", false) ? Ddim : karras ? Dpm : standIn;
    }

    /// <summary>Whether the sampler here does what a file asks for: UniPC of other orders, for one, it has not.</summary>
    private static bool HasSettings(ConfigJson json, string name)
    {
        try
        {
            RefuseOtherSampling(json, name);
            return true;
        }
        catch (DoriException) { return false; }
    }

    /// <summary>pipeline_stable_diffusion.py, deprecation "steps_offset!=1": the first files left it out, and were made for 1.</summary>
    private static int StepsOffset(ConfigJson json)
    {
        json.Ignore("steps_offset");
        if (json.Shown("steps_offset") != "1")
            json.Notes.Say($"{json.Place}: steps_offset ({json.Shown("steps_offset")}) is taken as 1, as StableDiffusionPipeline does.");
        return 1;
    }

    /// <summary>
    /// pipeline_stable_diffusion.py, deprecation "clip_sample not set": latents are not clipped, whatever the class's default.
    /// </summary>
    private static void MendClipping(ConfigJson json, string named)
    {
        bool clipsByDefault = named is Ddim or "DDIMParallelScheduler" or "DDPMScheduler" or "DDPMParallelScheduler";
        if (!json.Bool("clip_sample", clipsByDefault)) return;
        string written = json.Has("clip_sample") ? "true" : "absent, which means true";
        json.Notes.Say($"{json.Place}: clip_sample ({written}) is taken as false, as StableDiffusionPipeline does.");
    }

    /// <summary>Takes what the noise schedule is made of and passes over what only the class's own sampler would ask for.</summary>
    private static void TakeScheduleAlone(ConfigJson json, string named, string standIn)
    {
        // These classes do not agree on the defaults, and a wrong schedule would go unseen.
        foreach (string key in BetaKeys)
            if (!json.IsSet(key)) throw json.Refused(key, $"a value that is written out, for {named}");
        json.Only("trained_betas", "null");
        json.Only("use_flow_sigmas", "false", "null");
        json.PassOver($"settings of {named}'s own sampler", SamplingKeys);
        json.Ignore(SilentKeys);
        string sampler = standIn switch { Ddim => "ddim", Euler => "euler", Heun => "heun", UniPc => "unipc", _ => "dpm-solver++" };
        string settings = named == standIn ? " with these settings" : "";
        json.Notes.Say($"{json.Place}: {named}{settings} has no sampler here; its noise schedule is taken and "
            + $"{sampler} stands in for it. `Sampler` chooses another.");
    }

    private static readonly string[] SamplingKeys =
    [
        "algorithm_type", "corrector_order", "disable_corrector", "dynamic_thresholding_ratio", "euler_at_final", "final_sigmas_type",
        "interpolation_type", "lambda_min_clipped", "lower_order_final", "noise_sampler_seed", "original_inference_steps", "predict_x0",
        "predictor_order", "sigma_max", "sigma_min", "skip_prk_steps", "solver_order", "solver_p", "solver_type", "tau_func",
        "thresholding", "timestep_scaling", "timestep_type", "use_beta_sigmas", "use_dynamic_shifting", "use_exponential_sigmas",
            "use_lu_lambdas",
        "variance_type",
    ];

    /// <summary>Say nothing: of clipping and thresholding, and of flow sigmas, where there are none.</summary>
    private static readonly string[] SilentKeys = ["clip_sample_range", "sample_max_value", "flow_shift", "time_shift_type"];

    private static readonly string[] OtherSampling =
        ["thresholding", "use_beta_sigmas", "use_dynamic_shifting", "use_exponential_sigmas", "use_flow_sigmas", "use_lu_lambdas"];

    private static void RefuseOtherSampling(ConfigJson json, string name)
    {
        json.Only("trained_betas", "null");
        foreach (string key in OtherSampling) json.Only(key, "false", "null");
        if (name == Pndm && !json.Bool("skip_prk_steps", false))
            json.Notes.Say($"{json.Place}: skip_prk_steps ({json.Shown("skip_prk_steps")}) asks for PNDM's Runge-Kutta start, which is "
                + "not here; pndm without it, as Stable Diffusion runs it, stands in. `Sampler` chooses another.");
        if (name == Euler)
        {
            json.Only("interpolation_type", "\"linear\"");
            json.Only("timestep_type", "\"discrete\"");
        }
        if (name == Dpm)
        {
            json.Only("algorithm_type", "\"dpmsolver++\"");
            json.Only("solver_order", "2");
            json.Only("solver_type", "\"midpoint\"");
            json.Only("lower_order_final", "true");
            json.Only("lambda_min_clipped", "\"-Infinity\"", "null");
            json.Only("variance_type", "null");
        }
        if (name == UniPc)
        {
            json.Only("solver_order", "2");
            json.Only("solver_type", "\"bh2\"");
            json.Only("predict_x0", "true");
            json.Only("lower_order_final", "true");
            if (json.Shown("disable_corrector") is not ("absent" or "null" or "[]")) throw json.Refused("disable_corrector", "[]");
            json.Only("solver_p", "null");
        }
        if (EndsAtSigmaMin(name))
        {
            json.Only("sigma_min", "null");
            json.Only("sigma_max", "null");
        }
        json.Ignore(SamplingKeys); // what is left of them belongs to other classes
        json.Ignore(SilentKeys);
    }
}
