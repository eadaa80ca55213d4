namespace Dori.Tests.Checkpoints;

/// <summary>Config files as published with Stable Diffusion 1.x and 2.x and with CLIP ViT-L/14.</summary>
internal static class ConfigPublished
{
    public const string UNet14 = """
        {
          "_class_name": "UNet2DConditionModel", "_diffusers_version": "0.2.2", "act_fn": "silu", "attention_head_dim": 8,
          "block_out_channels": [320, 640, 1280, 1280], "center_input_sample": false, "cross_attention_dim": 768,
          "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
          "downsample_padding": 1, "flip_sin_to_cos": true, "freq_shift": 0, "in_channels": 4, "layers_per_block": 2,
          "mid_block_scale_factor": 1, "norm_eps": 1e-05, "norm_num_groups": 32, "out_channels": 4, "sample_size": 64,
          "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]
        }
        """;

    public const string UNet20Base = """
        {
          "_class_name": "UNet2DConditionModel", "_diffusers_version": "0.8.0", "_name_or_path": "hf-models/stable-diffusion-v2-base/unet",
          "act_fn": "silu", "attention_head_dim": [5, 10, 20, 20], "block_out_channels": [320, 640, 1280, 1280],
          "center_input_sample": false, "cross_attention_dim": 1024,
          "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
          "downsample_padding": 1, "dual_cross_attention": false, "flip_sin_to_cos": true, "freq_shift": 0, "in_channels": 4,
          "layers_per_block": 2, "mid_block_scale_factor": 1, "norm_eps": 1e-05, "norm_num_groups": 32, "out_channels": 4,
          "sample_size": 64,
          "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
          "use_linear_projection": true
        }
        """;

    public const string UNet21 = """
        {
          "_class_name": "UNet2DConditionModel", "_diffusers_version": "0.10.0.dev0", "act_fn": "silu", "attention_head_dim": [5, 10, 20,
          20],
          "block_out_channels": [320, 640, 1280, 1280], "center_input_sample": false, "cross_attention_dim": 1024,
          "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
          "downsample_padding": 1, "dual_cross_attention": false, "flip_sin_to_cos": true, "freq_shift": 0, "in_channels": 4,
          "layers_per_block": 2, "mid_block_scale_factor": 1, "norm_eps": 1e-05, "norm_num_groups": 32, "num_class_embeds": null,
          "only_cross_attention": false, "out_channels": 4, "sample_size": 96,
          "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
          "use_linear_projection": true, "upcast_attention": true
        }
        """;

    public const string Vae14 = """
        {
          "_class_name": "AutoencoderKL", "_diffusers_version": "0.2.2", "act_fn": "silu", "block_out_channels": [128, 256, 512, 512],
          "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
          "in_channels": 3, "latent_channels": 4, "layers_per_block": 2, "out_channels": 3, "sample_size": 512,
          "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]
        }
        """;

    public const string Vae21 = """
        {
          "_class_name": "AutoencoderKL", "_diffusers_version": "0.10.0.dev0", "act_fn": "silu", "block_out_channels": [128, 256, 512, 512],
          "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
          "in_channels": 3, "latent_channels": 4, "layers_per_block": 2, "norm_num_groups": 32, "out_channels": 3, "sample_size": 768,
          "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]
        }
        """;

    public const string Text14 = """
        {
          "_name_or_path": "openai/clip-vit-large-patch14", "architectures": ["CLIPTextModel"], "attention_dropout": 0.0, "bos_token_id": 0,
          "dropout": 0.0, "eos_token_id": 2, "hidden_act": "quick_gelu", "hidden_size": 768, "initializer_factor": 1.0,
          "initializer_range": 0.02, "intermediate_size": 3072, "layer_norm_eps": 1e-05, "max_position_embeddings": 77,
          "model_type": "clip_text_model", "num_attention_heads": 12, "num_hidden_layers": 12, "pad_token_id": 1, "torch_dtype": "float32",
          "transformers_version": "4.21.0.dev0", "vocab_size": 49408
        }
        """;

    public const string Text21 = """
        {
          "_name_or_path": "hf-models/stable-diffusion-v2-768x768/text_encoder", "architectures": ["CLIPTextModel"],
          "attention_dropout": 0.0,
          "bos_token_id": 0, "dropout": 0.0, "eos_token_id": 2, "hidden_act": "gelu", "hidden_size": 1024, "initializer_factor": 1.0,
          "initializer_range": 0.02, "intermediate_size": 4096, "layer_norm_eps": 1e-05, "max_position_embeddings": 77,
          "model_type": "clip_text_model", "num_attention_heads": 16, "num_hidden_layers": 23, "pad_token_id": 1, "projection_dim": 512,
          "torch_dtype": "float32", "transformers_version": "4.25.0.dev0", "vocab_size": 49408
        }
        """;

    public const string Scheduler14 = """
        {
          "_class_name": "PNDMScheduler", "_diffusers_version": "0.7.0.dev0", "beta_end": 0.012, "beta_schedule": "scaled_linear",
          "beta_start": 0.00085, "num_train_timesteps": 1000, "set_alpha_to_one": false, "skip_prk_steps": true, "steps_offset": 1,
          "trained_betas": null, "clip_sample": false
        }
        """;

    public const string Scheduler20Base = """
        {
          "_class_name": "PNDMScheduler", "_diffusers_version": "0.8.0", "beta_end": 0.012, "beta_schedule": "scaled_linear",
          "beta_start": 0.00085, "clip_sample": false, "num_train_timesteps": 1000, "prediction_type": "epsilon", "set_alpha_to_one": false,
          "skip_prk_steps": true, "steps_offset": 1, "trained_betas": null
        }
        """;

    public const string Scheduler21 = """
        {
          "_class_name": "DDIMScheduler", "_diffusers_version": "0.8.0", "beta_end": 0.012, "beta_schedule": "scaled_linear",
          "beta_start": 0.00085, "clip_sample": false, "num_train_timesteps": 1000, "prediction_type": "v_prediction",
          "set_alpha_to_one": false, "skip_prk_steps": true, "steps_offset": 1, "trained_betas": null
        }
        """;

    /// <summary>As diffusers saves it: Python writes the infinity bare.</summary>
    public const string SchedulerDpm = """
        {
          "_class_name": "DPMSolverMultistepScheduler", "_diffusers_version": "0.30.0", "algorithm_type": "dpmsolver++", "beta_end": 0.012,
          "beta_schedule": "scaled_linear", "beta_start": 0.00085, "clip_sample": false, "dynamic_thresholding_ratio": 0.995,
          "euler_at_final": false, "final_sigmas_type": "zero", "lambda_min_clipped": -Infinity, "lower_order_final": true,
          "num_train_timesteps": 1000, "prediction_type": "epsilon", "rescale_betas_zero_snr": false, "sample_max_value": 1.0,
          "set_alpha_to_one": false, "skip_prk_steps": true, "solver_order": 2, "solver_type": "midpoint", "steps_offset": 1,
          "thresholding": false, "timestep_spacing": "leading", "trained_betas": null, "use_karras_sigmas": true,
          "use_lu_lambdas": false, "variance_type": null
        }
        """;

    public const string SchedulerEuler = """
        {
          "_class_name": "EulerDiscreteScheduler", "_diffusers_version": "0.30.0", "beta_end": 0.012, "beta_schedule": "scaled_linear",
          "beta_start": 0.00085, "clip_sample": false, "final_sigmas_type": "zero", "interpolation_type": "linear",
          "num_train_timesteps": 1000, "prediction_type": "epsilon", "rescale_betas_zero_snr": false, "sigma_max": null, "sigma_min": null,
          "steps_offset": 1, "timestep_type": "discrete", "trained_betas": null, "use_beta_sigmas": false,
          "use_exponential_sigmas": false, "use_karras_sigmas": false
        }
        """;

    public const string Index14 = """
        {
          "_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.2.2",
          "feature_extractor": ["transformers", "CLIPFeatureExtractor"], "safety_checker": ["stable_diffusion",
          "StableDiffusionSafetyChecker"],
          "scheduler": ["diffusers", "PNDMScheduler"], "text_encoder": ["transformers", "CLIPTextModel"],
          "tokenizer": ["transformers", "CLIPTokenizer"], "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers",
          "AutoencoderKL"]
        }
        """;

    public const string Index21 = """
        {
          "_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.8.0", "feature_extractor": ["transformers",
          "CLIPImageProcessor"],
          "requires_safety_checker": false, "safety_checker": [null, null], "scheduler": ["diffusers", "DDIMScheduler"],
          "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
          "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]
        }
        """;

    public const string ClipLarge = """
        {
          "_name_or_path": "clip-vit-large-patch14/", "architectures": ["CLIPModel"], "initializer_factor": 1.0,
          "logit_scale_init_value": 2.6592, "model_type": "clip", "projection_dim": 768,
          "text_config": {
            "_name_or_path": "", "add_cross_attention": false, "architectures": null, "attention_dropout": 0.0, "bos_token_id": 0,
            "chunk_size_feed_forward": 0, "dropout": 0.0, "eos_token_id": 2, "hidden_act": "quick_gelu", "hidden_size": 768,
            "id2label": { "0": "LABEL_0", "1": "LABEL_1" }, "intermediate_size": 3072, "layer_norm_eps": 1e-05, "length_penalty": 1.0,
            "max_position_embeddings": 77, "model_type": "clip_text_model", "num_attention_heads": 12, "num_hidden_layers": 12,
            "pad_token_id": 1, "projection_dim": 768, "temperature": 1.0, "transformers_version": "4.16.0.dev0", "vocab_size": 49408
          },
          "text_config_dict": { "hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "num_hidden_layers": 12,
          "projection_dim": 768 },
          "torch_dtype": "float32", "transformers_version": null,
          "vision_config": {
            "attention_dropout": 0.0, "chunk_size_feed_forward": 0, "dropout": 0.0, "hidden_act": "quick_gelu", "hidden_size": 1024,
            "image_size": 224, "intermediate_size": 4096, "layer_norm_eps": 1e-05, "model_type": "clip_vision_model",
            "num_attention_heads": 16, "num_hidden_layers": 24, "patch_size": 14, "projection_dim": 768
          },
          "vision_config_dict": { "hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 24,
          "patch_size": 14, "projection_dim": 768 }
        }
        """;
}
