namespace Dori.Checkpoints;

public static partial class ConfigFiles
{
    private const string Ddim = "DDIMScheduler", Pndm = "PNDMScheduler", Euler = "EulerDiscreteScheduler", Dpm = "DPMSolverMultistepScheduler";

    /// <summary>Scheduler classes that have a sampler here.</summary>
    internal static IReadOnlyList<string> SchedulerClasses { get; } = [Ddim, Pndm, Euler, Dpm];

    /// <summary>
    /// <c>scheduler/scheduler_config.json</c>; absent keys mean the defaults of the class in diffusers. Published files carry keys of classes
    /// that they once named (DDIM with <c>skip_prk_steps</c>): a key of another class has no effect and is passed over.
    /// </summary>
    /// <exception cref="DoriException">Not readable, another class, or a key or value that changes the noise or the sampling in a way that is not supported.</exception>
    public static SchedulerConfig ReadScheduler(string path) => ConfigJson.Read(path, Scheduler);

    private static SchedulerConfig Scheduler(ConfigJson json)
    {
        string name = json.Text("_class_name", null, SchedulerClasses);
        RefuseOtherSampling(json, name);
        double start = json.Number("beta_start", 0.0001, 1e-8, 0.999), end = json.Number("beta_end", 0.02, 1e-8, 0.999);
        if (end < start) throw json.Refused("beta_end", "a number that is not below beta_start");
        int timesteps = json.Int("num_train_timesteps", 1000, 2, 100_000);
        var config = new SchedulerConfig
        {
            ClassName = name,
            NumTrainTimesteps = timesteps,
            BetaStart = start,
            BetaEnd = end,
            BetaSchedule = json.Text("beta_schedule", "linear", "scaled_linear", "linear"),
            PredictionType = json.Text("prediction_type", "epsilon", "epsilon", "v_prediction"),
            SetAlphaToOne = json.Bool("set_alpha_to_one", name == Ddim),
            StepsOffset = json.Int("steps_offset", 0, 0, timesteps - 1),
            TimestepSpacing = json.Text("timestep_spacing", name is Euler or Dpm ? "linspace" : "leading", "leading", "trailing", "linspace"),
            RescaleBetasZeroSnr = json.Bool("rescale_betas_zero_snr", false),
            UseKarrasSigmas = json.Bool("use_karras_sigmas", false),
        };
        if (config.RescaleBetasZeroSnr && name != Ddim) throw json.Refused("rescale_betas_zero_snr", $"false, for {name}");
        if (config.UseKarrasSigmas && name != Dpm) throw json.Refused("use_karras_sigmas", $"false, for {name}");
        json.RefuseUnknown();
        return config;
    }

    private static void RefuseOtherSampling(ConfigJson json, string name)
    {
        json.Only("trained_betas", "null");
        foreach (string key in new[] { "clip_sample", "thresholding", "use_beta_sigmas", "use_dynamic_shifting", "use_exponential_sigmas", "use_flow_sigmas", "use_lu_lambdas" })
            json.Only(key, "false", "null");
        // The class's own default is true, and would clip latents to [-1, 1].
        if (name == Ddim && !json.IsSet("clip_sample")) throw json.Refused("clip_sample", $"false (absent means true for {Ddim})");
        if (name == Pndm && !json.Bool("skip_prk_steps", false)) throw json.Refused("skip_prk_steps", $"true (absent means false for {Pndm})");
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
            json.Only("euler_at_final", "false", "null");
        }
        if (name is Euler or Dpm)
        {
            json.Only("final_sigmas_type", "\"zero\"");
            json.Only("sigma_min", "null");
            json.Only("sigma_max", "null");
        }
        json.Ignore("skip_prk_steps", "interpolation_type", "timestep_type", "algorithm_type", "solver_order", "solver_type", "lower_order_final",
            "lambda_min_clipped", "variance_type", "euler_at_final", "final_sigmas_type", "sigma_min", "sigma_max");
        json.Ignore("clip_sample_range", "dynamic_thresholding_ratio", "sample_max_value"); // say nothing without clipping and thresholding
        json.Ignore("flow_shift", "time_shift_type"); // say nothing without flow sigmas
    }
}
